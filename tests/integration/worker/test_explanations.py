import cv2
import numpy as np
import pytest
from pydicom import examples

from services.worker.bundle_cache import BundleCache
from services.worker.explanations import ExplanationService
from services.worker.inference.preparation import Preparation
from services.worker.live_model import LiveModel
from shared.domain.erasure import ErasureReason
from tests.support.builders import Screen, encode, png


@pytest.fixture
def maker(ledger, objects, decoders, tmp_path):
    shelf = BundleCache(ledger, objects, tmp_path / "cache")
    return ExplanationService(
        ledger, objects, LiveModel(ledger, shelf), shelf, Preparation(objects, decoders)
    )


def hospital(ledger):
    with ledger.system_session("test") as house:
        return house.hospitals.ensure("north")


@pytest.fixture
def ask(ledger):
    def asked(job):
        with ledger.hospital_session(hospital(ledger), "test") as book:
            return book.explanations.request(book.jobs.find(job).case_id)

    return asked


def test_an_explanation_is_a_picture_of_the_region_that_was_read(
    maker, desk, send, promote, ask, objects
):
    promote(0)
    job = send(roi={"box": [20, 30, 80, 60]})
    assert ask(job) is None
    desk.work()
    assert ask(job).png_sha256 is None
    maker.make_next()
    picture = cv2.imdecode(
        np.frombuffer(objects.get(ask(job).png_sha256), np.uint8), cv2.IMREAD_COLOR
    )
    assert picture.shape == (72, 96, 3)


def test_an_explanation_is_of_the_frame_and_the_roi_that_were_read(
    maker, desk, send, promote, ask, objects
):
    """Of marks too where no ROI was given, and of the frame that was asked for."""
    promote(0)
    loop = examples.get_path("ybr_color").read_bytes()
    marked = encode(Screen().end(60, 150).end(220, 150).pixels)
    jobs = [
        send(loop, width=320, height=240, roi={"box": [90, 60, 150, 100]}, frame=frame)
        for frame in (1, 30)
    ]
    jobs.append(send(marked, width=300, height=300))
    desk.work()
    for job in jobs:
        assert ask(job).png_sha256 is None
        maker.make_next()
    first, last, of_marks = (objects.get(ask(job).png_sha256) for job in jobs)
    assert first != last
    shape = cv2.imdecode(np.frombuffer(of_marks, np.uint8), cv2.IMREAD_COLOR).shape
    assert shape == pytest.approx((192, 192, 3), abs=4)


def test_the_model_that_gave_the_result_explains_it_even_when_another_is_live(
    maker, desk, send, promote, ask
):
    old = promote(0)
    job = send()
    desk.work()
    promote(1)
    assert ask(job).model_digest == old
    maker.make_next()
    made = ask(job)
    assert made.png_sha256
    assert made.reason is None


def test_an_explanation_that_cannot_be_made_says_why(
    maker, desk, send, promote, ask, objects
):
    promote(0)
    job = send()
    desk.work()
    ask(job)
    objects.delete(objects.put(png(3)).sha256)
    maker.make_next()
    assert ask(job).reason == "object-missing"


def test_each_map_is_told_with_its_place_its_layer_and_how_faithful_it_is(
    maker, desk, send, promote, ask, objects
):
    promote(0)
    job = send(roi={"box": [20, 30, 80, 60]})
    desk.work()
    assert ask(job).maps == ()
    maker.make_next()
    (only,) = ask(job).maps
    assert (only.facts["kind"], only.facts["of"], only.facts["grid"]) == (
        "occlusion",
        "ensemble",
        [8, 8],
    )
    assert only.facts["box"] == [12, 24, 96, 72]
    tested = only.facts["faithfulness"]
    assert tested["ordered"][0] == tested["random"][0]
    layer = cv2.imdecode(
        np.frombuffer(objects.get(only.heat_sha256), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert layer.shape == (72, 96, 4)


def test_a_case_that_comes_during_an_explanation_is_answered_before_it_ends(
    ledger, objects, decoders, tmp_path, desk, send, promote, ask, find
):
    promote(0)
    explained = send()
    desk.work()
    ask(explained)
    slices = []
    came = []

    def between():
        if not came:
            came.append(send(png(5)))
        desk.work()
        slices.append((find(came[0]).state, ask(explained).png_sha256))

    shelf = BundleCache(ledger, objects, tmp_path / "cache")
    live = LiveModel(ledger, shelf)
    ExplanationService(
        ledger, objects, live, shelf, Preparation(objects, decoders), between
    ).make_next()
    assert slices[0] == ("done", None)
    assert len(slices) > 5
    assert ask(explained).png_sha256


def test_a_case_erased_while_it_is_explained_is_gone_at_once_and_nothing_is_kept(
    ledger, objects, decoders, tmp_path, desk, send, promote, ask, find
):
    promote(0)
    job = send()
    desk.work()
    ask(job)
    case = find(job).case_id
    north = hospital(ledger)
    erased = []

    def between():
        if not erased:
            with ledger.hospital_session(north, "test") as book:
                erased.append(book.erasures.erase(case, ErasureReason.PATIENT_REQUEST))

    shelf = BundleCache(ledger, objects, tmp_path / "cache")
    live = LiveModel(ledger, shelf)
    ExplanationService(
        ledger, objects, live, shelf, Preparation(objects, decoders), between
    ).make_next()
    assert erased[0].ground is ErasureReason.PATIENT_REQUEST
    with ledger.engine.connect() as connection:
        for table in ("explanations", "explanation_maps"):
            assert (
                connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
                == 0
            )


def test_what_another_worker_is_at_is_left_to_it_until_it_falls_silent(
    ledger, desk, send, promote, ask
):
    promote(0)
    job = send()
    desk.work()
    ask(job)
    with ledger.system_session("one") as house:
        taken = house.explanations.next()
    with ledger.system_session("other") as house:
        assert taken.job_id == job
        assert house.explanations.next() is None
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE explanations SET taken_until = clock_timestamp() - interval '1 second'"
        )
    with ledger.system_session("other") as house:
        assert house.explanations.next() == taken
        house.explanations.let_go(taken)
        assert house.explanations.next() == taken
