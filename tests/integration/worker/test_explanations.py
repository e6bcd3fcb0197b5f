import cv2
import numpy as np
import pytest
from pydicom import examples

from services.worker.explanations import ExplanationMaker
from services.worker.live import LiveModel
from services.worker.preparation import Preparation
from services.worker.shelf import Shelf
from tests.builders import Screen, encode, png


@pytest.fixture
def maker(ledger, objects, decoders, tmp_path):
    shelf = Shelf(ledger, objects, tmp_path / "cache")
    return ExplanationMaker(ledger, objects, LiveModel(ledger, shelf), shelf, Preparation(objects, decoders))


@pytest.fixture
def ask(ledger):
    def asked(job):
        with ledger.whole("test") as house:
            hospital = house.hospitals.ensure("north")
        with ledger.scoped(hospital, "test") as book:
            return book.explanations.ask(book.jobs.find(job).case_id)

    return asked


def test_an_explanation_is_a_picture_of_the_region_that_was_read(maker, desk, send, promote, ask, objects):
    promote(0)
    job = send(roi={"box": [20, 30, 80, 60]})
    assert ask(job) is None
    desk.work()
    assert ask(job).png_sha256 is None
    maker.make_next()
    picture = cv2.imdecode(np.frombuffer(objects.get(ask(job).png_sha256), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (72, 96, 3)


def test_an_explanation_is_of_the_frame_and_the_roi_that_were_read(maker, desk, send, promote, ask, objects):
    """Of marks too where no ROI was given, and of the frame that was asked for."""
    promote(0)
    loop = examples.get_path("ybr_color").read_bytes()
    marked = encode(Screen().end(60, 150).end(220, 150).pixels)
    jobs = [send(loop, width=320, height=240, roi={"box": [90, 60, 150, 100]}, frame=frame) for frame in (1, 30)]
    jobs.append(send(marked, width=300, height=300))
    desk.work()
    for job in jobs:
        assert ask(job).png_sha256 is None
        maker.make_next()
    first, last, of_marks = (objects.get(ask(job).png_sha256) for job in jobs)
    assert first != last
    shape = cv2.imdecode(np.frombuffer(of_marks, np.uint8), cv2.IMREAD_COLOR).shape
    assert shape == pytest.approx((192, 192, 3), abs=4)


def test_the_model_that_gave_the_result_explains_it_even_when_another_is_live(maker, desk, send, promote, ask):
    old, job = promote(0), send()
    desk.work()
    promote(1)
    assert ask(job).model_digest == old
    maker.make_next()
    made = ask(job)
    assert made.png_sha256
    assert made.reason is None


def test_an_explanation_that_cannot_be_made_says_why(maker, desk, send, promote, ask, objects):
    promote(0)
    job = send()
    desk.work()
    ask(job)
    objects.delete(objects.put(png(3)).sha256)
    maker.make_next()
    assert ask(job).reason == "object-missing"
