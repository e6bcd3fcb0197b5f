import numpy as np
import pytest
from pydicom import examples

from shared.domain.jobs import JobState, Reason
from shared.domain.results.model_reference import GateStanding
from shared.domain.results.roi_source import RoiSource
from shared.errors import Unavailable
from shared.guidelines import RULES
from shared.imaging.photos import rectify_photo
from shared.phantoms import draw
from tests.integration.worker.conftest import LEASE
from tests.support.builders import Screen, dicom_file, encode, png
from tests.support.phone_photos import PhotoSettings, photograph


def test_without_a_model_cases_wait(service, send, find):
    job = send()
    service.work()
    assert find(job).state is JobState.QUEUED


def test_a_case_gets_a_result_with_every_field_of_the_contract(
    service, send, find, promote
):
    digest = promote(0)
    job = send(size_mm=14.5, roi={"box": [20, 20, 80, 80]})
    service.work()
    result = find(job).result
    assert 0 <= result.risk <= 1
    assert result.timings_ms.infer > 0
    model = result.model
    assert (model.name, model.version, model.digest) == ("small", 1, digest)
    assert (model.synthetic, model.gate) == (True, GateStanding.NOT_ASKED)
    assert {
        (component.network, component.classifier) for component in result.components
    } == {
        (network, classifier)
        for network in ("sera_tiny", "handcrafted")
        for classifier in ("svm", "forest")
    }
    assert result.fna.size_mm == 14.5
    assert len(result.fna.alternatives) == len(RULES) - 1


def test_a_batch_gives_each_image_the_answer_it_gets_alone(
    service, send, find, promote
):
    promote(0)
    images = [png(seed) for seed in range(5)]
    alone = []
    for image in images:
        job = send(image)
        service.work()
        alone.append(find(job).result.score)
    jobs = [send(image) for image in images]
    service.work()
    assert [find(job).result.score for job in jobs] == pytest.approx(alone, abs=1e-6)


def test_a_bad_image_fails_alone_with_its_reason(service, send, find, promote):
    promote(0)
    good = send()
    cut = send(png(1)[:400])
    missing = send(image_sha256="f" * 64)
    service.work()
    assert find(good).state is JobState.DONE
    assert (find(cut).state, find(cut).reason) == (JobState.FAILED, "image-unreadable")
    assert (find(missing).state, find(missing).reason) == (
        JobState.FAILED,
        Reason.IMAGE_MISSING,
    )


def test_more_cases_than_a_batch_holds_are_all_answered(service, send, find, promote):
    promote(0)
    jobs = [send(png(seed % 4)) for seed in range(37)]
    service.work()
    assert {find(job).state for job in jobs} == {JobState.DONE}


def test_the_risk_follows_the_hospitals_prevalence_and_the_score_does_not(
    service, send, find, promote, ledger
):
    promote(0)
    usual = send()
    service.work()
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE hospitals SET prevalence = 0.02")
    rare = send()
    service.work()
    usual = find(usual).result
    rare = find(rare).result
    assert rare.risk < usual.risk
    assert (rare.score, rare.decision) == (usual.score, usual.decision)
    assert rare.prevalence == 0.02


def test_a_case_of_the_same_content_as_an_earlier_one_is_read_and_warned_of(
    service, send, find, promote
):
    promote(0)
    first = send()
    duplicate = send(duplicate_of=find(first).case_id)
    service.work()
    assert find(duplicate).result.score == find(first).result.score
    assert _warning(find(first), "duplicate") is None
    assert str(find(first).case_id) in _warning(find(duplicate), "duplicate")


def test_warnings_tell_of_a_small_nodule_and_a_synthetic_model(
    service, send, find, promote
):
    promote(0)
    small = send(size_mm=6)
    large = send(size_mm=16)
    service.work()
    codes = [
        {warning.code for warning in find(job).result.warnings}
        for job in (small, large)
    ]
    assert codes[0] >= {"under-10-mm", "synthetic-model"}
    assert "under-10-mm" not in codes[1]


def test_the_frame_that_was_asked_for_is_read(service, send, find, promote):
    promote(0)
    loop = examples.get_path("ybr_color").read_bytes()
    jobs = [send(loop, width=320, height=240, frame=frame) for frame in (None, 3, 31)]
    service.work()
    warnings = [_warning(find(job), "multi-frame") for job in jobs[:2]]
    assert "frame 16, the middle one" in warnings[0]
    assert "frame 3, as chosen" in warnings[1]
    assert (find(jobs[2]).state, find(jobs[2]).reason) == (
        JobState.FAILED,
        "frame-absent",
    )


@pytest.mark.parametrize(
    ("size_mm", "is_warned"),
    [(30, False), (25.5, False), (35.5, False), (24.5, True), (40, True), (3, True)],
)
def test_a_size_unlike_the_images_own_is_warned_of(
    size_mm, is_warned, service, send, find, promote
):
    """Of a box 150 pixels wide at 0.2 mm a pixel; more than 20 % and more than 2 mm apart."""
    promote(0)
    calibrated = dicom_file(draw(3).pixels, PixelSpacing=[0.1, 0.2])
    job = send(
        calibrated,
        width=256,
        height=256,
        size_mm=size_mm,
        roi={"box": [50, 60, 150, 100]},
    )
    service.work()
    warning = _warning(find(job), "size-differs")
    assert (warning is not None) == is_warned
    assert (
        not is_warned or f"{size_mm:g} mm, but the nodule measures 30.0 mm" in warning
    )


def test_a_small_nodule_may_differ_by_two_millimetres(service, send, find, promote):
    promote(0)
    calibrated = dicom_file(draw(3).pixels, PixelSpacing=[0.05, 0.05])
    job = send(
        calibrated, width=256, height=256, size_mm=6, roi={"box": [50, 60, 150, 100]}
    )
    service.work()
    assert _warning(find(job), "size-differs") is None


def test_marks_measure_a_calibrated_image_too(service, send, find, promote):
    promote(0)
    image = Screen().end(60, 150).end(220, 150)
    job = send(
        dicom_file(image.pixels, PixelSpacing=[0.1, 0.1]),
        width=300,
        height=300,
        size_mm=10,
    )
    service.work()
    assert "measures 16.0 mm" in _warning(find(job), "size-differs")


def test_marks_are_removed_and_an_roi_made_of_them_is_warned_of(
    service, send, find, promote
):
    promote(0)
    image = Screen().end(60, 150).end(220, 150)
    job = send(encode(image.pixels), width=300, height=300)
    service.work()
    assert "Check that it is the nodule" in _warning(find(job), "roi-from-calipers")
    x, y, width, height = find(job).result.roi.box
    assert x <= 60
    assert x + width >= 220
    assert y < 150 < y + height
    assert find(job).result.roi.source is RoiSource.CALIPERS
    assert "2 burnt-in caliper marks" in _warning(find(job), "calipers-removed")


def test_a_photo_of_a_screen_gets_warnings_of_the_photo_and_its_glare(
    service, send, find, promote
):
    promote(0)
    photo = photograph(draw(3, size_px=300).pixels, 3, PhotoSettings(glare=500))
    photographed = encode(rectify_photo(photo.pixels, photo.corners))
    as_photo = send(photographed, source="photo")
    as_file = send(photographed)
    service.work()
    assert "photo of a screen" in _warning(find(as_photo), "photo")
    assert "retake" in _warning(find(as_photo), "glare")
    assert _warning(find(as_file), "photo") is None


def test_an_even_grey_fails_by_name(service, send, find, promote):
    promote(0)
    job = send(encode(np.full((128, 128), 90)))
    service.work()
    assert (find(job).state, find(job).reason) == (JobState.FAILED, "image-blank")


def _warning(job, code: str) -> str | None:
    return next(
        (warning.message for warning in job.result.warnings if warning.code == code),
        None,
    )


def test_an_object_store_that_is_away_gives_the_job_back_without_an_attempt(
    service, send, find, promote, objects, monkeypatch
):
    promote(0)
    service.work()
    job = send()

    def fail(sha256):
        raise Unavailable(service="The object store")

    monkeypatch.setattr(objects, "get", fail)
    service.work()
    assert (find(job).state, find(job).attempts) == (JobState.QUEUED, 0)


def test_a_promoted_model_takes_over_while_the_old_one_serves(
    service, send, find, promote
):
    old = promote(0)
    first = send()
    service.work()
    new = promote(1)
    digests = [find(first).result.model.digest]
    for _ in range(200):
        job = send()
        service.work()
        digests.append(find(job).result.model.digest)
        if digests[-1] == new:
            break
    assert digests[0] == old
    assert digests[-1] == new
    assert digests == sorted(digests, key=[old, new].index)


def test_a_tampered_bundle_never_replaces_the_one_that_serves(
    service, send, find, promote, objects, ledger, tmp_path
):
    good = promote(0)
    service.work()
    bad = objects.put(b'{"format": 1}').sha256
    with ledger.system_session("test") as session:
        session.models.store(
            digest=bad,
            name="bad",
            recipe="bad",
            run_id=None,
            synthetic=False,
            metrics={},
        )
        session.models.promote(bad, "test", "requested by a test")
    for _ in range(3):
        job = send()
        service.work()
    assert find(job).result.model.digest == good


def test_a_restarted_worker_continues_its_earlier_jobs(
    service, send, find, promote, ledger
):
    promote(0)
    job = send()
    with ledger.system_session("w1") as session:
        session.queue.claim("w1", max_jobs=1, lease=LEASE, max_attempts=3)
    service.work()
    assert find(job).state is JobState.RUNNING
    service.open()
    service.work()
    assert (find(job).state, find(job).attempts) == (JobState.DONE, 2)


def test_a_closing_worker_claims_nothing_more(service, send, find, promote):
    promote(0)
    job = send()
    service.close()
    service.work()
    assert (find(job).state, find(job).attempts) == (JobState.QUEUED, 0)
