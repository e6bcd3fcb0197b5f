import cv2
import numpy as np
import pytest
from pydicom import examples

from services.worker.bundle_cache import BundleCache
from services.worker.explanations import ExplanationService
from services.worker.inference.preparation import Preparation
from services.worker.live_model import LiveModel
from shared.bundles.explanations.occlusion import no_pause
from shared.domain.erasure import ErasureReason
from tests.support.builders import Screen, encode, png


@pytest.fixture
def explainer(ledger, objects, decoders, tmp_path):
    return make_explainer(ledger, objects, decoders, tmp_path / "cache")


def make_explainer(ledger, objects, decoders, folder, run_urgent_work=no_pause):
    cache = BundleCache(ledger, objects, folder)
    return ExplanationService(
        ledger=ledger,
        objects=objects,
        live=LiveModel(ledger, cache),
        bundle_cache=cache,
        preparation=Preparation(objects, decoders),
        run_urgent_work=run_urgent_work,
    )


def hospital(ledger):
    with ledger.system_session("test") as session:
        return session.hospitals.ensure("north")


@pytest.fixture
def ask(ledger):
    def ask(job):
        with ledger.hospital_session(hospital(ledger), "test") as session:
            return session.explanations.request(session.jobs.find(job).case_id)

    return ask


def test_an_explanation_is_a_picture_of_the_region_that_was_read(
    explainer, service, send, promote, ask, objects
):
    promote(0)
    job = send(roi={"box": [20, 30, 80, 60]})
    assert ask(job) is None
    service.work()
    assert ask(job).png_sha256 is None
    explainer.make_next()
    picture = cv2.imdecode(
        np.frombuffer(objects.get(ask(job).png_sha256), np.uint8), cv2.IMREAD_COLOR
    )
    assert picture.shape == (72, 96, 3)


def test_an_explanation_is_of_the_frame_and_the_roi_that_were_read(
    explainer, service, send, promote, ask, objects
):
    """Of marks too where no ROI was given, and of the frame that was asked for."""
    promote(0)
    loop = examples.get_path("ybr_color").read_bytes()
    image = encode(Screen().end(60, 150).end(220, 150).pixels)
    jobs = [
        send(loop, width=320, height=240, roi={"box": [90, 60, 150, 100]}, frame=frame)
        for frame in (1, 30)
    ]
    jobs.append(send(image, width=300, height=300))
    service.work()
    for job in jobs:
        assert ask(job).png_sha256 is None
        explainer.make_next()
    first, last, of_marks = (objects.get(ask(job).png_sha256) for job in jobs)
    assert first != last
    shape = cv2.imdecode(np.frombuffer(of_marks, np.uint8), cv2.IMREAD_COLOR).shape
    assert shape == pytest.approx((192, 192, 3), abs=4)


def test_the_model_that_gave_the_result_explains_it_even_when_another_is_live(
    explainer, service, send, promote, ask
):
    old = promote(0)
    job = send()
    service.work()
    promote(1)
    assert ask(job).model_digest == old
    explainer.make_next()
    explanation = ask(job)
    assert explanation.png_sha256
    assert explanation.reason is None


def test_an_explanation_that_cannot_be_made_says_why(
    explainer, service, send, promote, ask, objects
):
    promote(0)
    job = send()
    service.work()
    ask(job)
    objects.delete(objects.put(png(3)).sha256)
    explainer.make_next()
    assert ask(job).reason == "object-missing"


def test_each_map_has_its_box_its_layer_and_its_faithfulness(
    explainer, service, send, promote, ask, objects
):
    promote(0)
    job = send(roi={"box": [20, 30, 80, 60]})
    service.work()
    assert ask(job).maps == ()
    explainer.make_next()
    (heat_map,) = ask(job).maps
    assert (heat_map.facts["kind"], heat_map.facts["of"], heat_map.facts["grid"]) == (
        "occlusion",
        "ensemble",
        [8, 8],
    )
    assert heat_map.facts["box"] == [12, 24, 96, 72]
    faithfulness = heat_map.facts["faithfulness"]
    assert faithfulness["ordered"][0] == faithfulness["random"][0]
    layer = cv2.imdecode(
        np.frombuffer(objects.get(heat_map.heat_sha256), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert layer.shape == (72, 96, 4)


def test_a_case_that_comes_during_an_explanation_is_answered_before_it_ends(
    ledger, objects, decoders, tmp_path, service, send, promote, ask, find
):
    promote(0)
    explained = send()
    service.work()
    ask(explained)
    slices = []
    new_jobs = []

    def work_on_cases():
        if not new_jobs:
            new_jobs.append(send(png(5)))
        service.work()
        slices.append((find(new_jobs[0]).state, ask(explained).png_sha256))

    folder = tmp_path / "cache"
    make_explainer(ledger, objects, decoders, folder, work_on_cases).make_next()
    assert slices[0] == ("done", None)
    assert len(slices) > 5
    assert ask(explained).png_sha256


def test_a_case_erased_during_its_explanation_leaves_nothing_behind(
    ledger, objects, decoders, tmp_path, service, send, promote, ask, find
):
    promote(0)
    job = send()
    service.work()
    ask(job)
    case = find(job).case_id
    north = hospital(ledger)
    erasures = []

    def work_on_cases():
        if not erasures:
            with ledger.hospital_session(north, "test") as session:
                erasure = session.erasures.erase(case, ErasureReason.PATIENT_REQUEST)
                erasures.append(erasure)

    folder = tmp_path / "cache"
    make_explainer(ledger, objects, decoders, folder, work_on_cases).make_next()
    assert erasures[0].reason is ErasureReason.PATIENT_REQUEST
    with ledger.engine.connect() as connection:
        for table in ("explanations", "explanation_maps"):
            assert (
                connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
                == 0
            )


def test_a_request_belongs_to_one_worker_until_its_lease_expires(
    ledger, service, send, promote, ask
):
    promote(0)
    job = send()
    service.work()
    ask(job)
    with ledger.system_session("one") as session:
        claimed = session.explanation_queue.claim_next()
    with ledger.system_session("other") as session:
        assert claimed.job_id == job
        assert session.explanation_queue.claim_next() is None
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE explanations SET taken_until = clock_timestamp() - interval '1 second'"
        )
    with ledger.system_session("other") as session:
        assert session.explanation_queue.claim_next() == claimed
        session.explanation_queue.release(claimed)
        assert session.explanation_queue.claim_next() == claimed
