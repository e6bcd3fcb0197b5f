"""From an image to its result, over HTTP, as a hospital's software sees it."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import cycle
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import pytest
from PIL import Image
from pydicom import examples

from cli.connection import create_key
from shared.domain.roles import Role
from shared.imaging import Framing, Roi, crop, decode
from shared.objects import open_store
from shared.phantoms import draw
from shared.statistics import shift_prior
from tests.e2e.stage import Changeover, Hospital, Stage, until
from tests.support.builders import png

pytestmark = pytest.mark.timeout(600)  # the first test waits for a model to be trained

BOX = {"box": [60, 50, 120, 100]}
ROI_MARGIN = 0.15
"""Of `starter`, and of the tests' quick form of it."""
LOSSLESS = ("png", "bmp", "tiff")


UNLIKE_TRAINING = {"foreign-image", "out-of-distribution"}
"""Reasons of the model itself to give no answer."""


def encoded(kind: str, seed: int = 7) -> bytes:
    return cv2.imencode(f".{kind}", draw(seed).pixels)[1].tobytes()


def check_contract(
    job: dict[str, Any], size_mm: float, model: dict[str, Any]
) -> dict[str, Any]:
    """The job is done, and its result has every field of the contract, each within its bounds."""
    assert (
        job
        | {
            "state": "done",
            "position": None,
            "eta_s": None,
            "attempts": 1,
            "reason": None,
        }
        == job
    )
    result = job["result"]
    assert 0 <= result["score"] <= 1
    assert 0 < result["risk"] < 1
    assert 0 < result["cutoff"] < 1
    verdict = "malignant" if result["score"] >= result["cutoff"] else "benign"
    codes = {
        warning["code"]
        for warning in result["warnings"]
        if warning["message"].endswith(".")
    }
    assert result["decision"] == ("refer" if codes & UNLIKE_TRAINING else verdict)
    assert len(codes) == len(result["warnings"])
    assert "synthetic-model" in codes
    assert {name: result["model"][name] for name in model} == model
    assert result["model"]["synthetic"] is True
    assert all(spent >= 0 for spent in result["timings_ms"].values())
    assert {"prepare", "infer"} <= set(result["timings_ms"])
    check_components(result)
    check_advice(result["fna"], size_mm)
    return result


def check_components(result: dict[str, Any]) -> None:
    components = {
        (component["network"], component["classifier"]): component["probability"]
        for component in result["components"]
    }
    assert set(components) == {
        (network, classifier)
        for network in ("sera_tiny", "handcrafted")
        for classifier in ("svm", "forest")
    }
    assert all(component["tap"] for component in result["components"])
    # The score is the mean at the prevalence of the training images, of which half are malignant.
    at_training = shift_prior(
        list(components.values()),
        from_prevalence=result["prevalence"],
        to_prevalence=0.5,
    )
    assert result["score"] == pytest.approx(np.mean(at_training))


def check_advice(fna: dict[str, Any], size_mm: float) -> None:
    assert fna["size_mm"] == size_mm
    assert isinstance(fna["recommended"], bool)
    assert fna["rule"] == "risk-band/ACR-2017/1"
    assert fna["threshold_mm"] is None or fna["recommended"] == (
        size_mm >= fna["threshold_mm"]
    )
    assert fna["text"].endswith(".")
    assert {alternative["rule"] for alternative in fna["alternatives"]} == {
        "risk-band/K-TIRADS-2016/1",
        "risk-band/K-TIRADS-2021/1",
    }
    assert all(alternative["size_mm"] == size_mm for alternative in fna["alternatives"])


@pytest.fixture
def live_model(stage: Stage, recipe_name: str) -> dict[str, Any]:
    """What a result says of the model that is live."""
    return {"name": recipe_name, "version": 1, "digest": stage.live()}


@pytest.mark.parametrize("kind", [*LOSSLESS, "jpg"])
def test_a_raster_image_gets_a_whole_result(
    north: Hospital, live_model: dict[str, Any], kind: str
) -> None:
    job = north.read(encoded(kind), size_mm=14.5, roi='{"box": [60, 50, 120, 100]}')
    check_contract(job, 14.5, live_model)


def test_the_same_pixels_get_the_same_score_whatever_the_file(north: Hospital) -> None:
    scores = {north.read(encoded(kind))["result"]["score"] for kind in LOSSLESS}
    assert len(scores) == 1


@pytest.mark.parametrize("name", ["palette_color", "rgb_color", "jpeg2k"])
def test_a_dicom_image_gets_a_whole_result(
    south: Hospital, live_model: dict[str, Any], name: str
) -> None:
    job = south.read(examples.get_path(name).read_bytes(), size_mm=22)
    assert "multi-frame" not in codes(check_contract(job, 22, live_model))


def test_of_a_dicom_loop_the_middle_frame_is_read_and_said_to_be(
    south: Hospital, live_model: dict[str, Any]
) -> None:
    job = south.read(examples.get_path("ybr_color").read_bytes(), size_mm=9.5)
    result = codes(check_contract(job, 9.5, live_model))
    assert "frame 16" in result["multi-frame"]
    assert "under-10-mm" in result


def test_a_case_without_an_roi_is_read_with_a_remark(north: Hospital) -> None:
    assert "roi-absent" in codes(north.read()["result"])
    assert "roi-absent" not in codes(
        north.read(roi='{"polygon": [[20, 20], [100, 25], [60, 110]]}')["result"]
    )


def test_many_cases_of_two_hospitals_at_once_lose_none_and_double_none(
    north: Hospital, south: Hospital
) -> None:
    jobs_before = {id(hospital): hospital.jobs() for hospital in (north, south)}
    cases = [
        (hospital, number, str(uuid4()))
        for hospital, number in zip(cycle([north, south]), range(30), strict=False)
    ]
    repeated_cases = cases + cases[::3]
    with ThreadPoolExecutor(6) as clients:
        ids = list(
            clients.map(
                lambda case: case[0].accepted(
                    png(case[1] % 10), key=case[2], size_mm=10 + case[1]
                ),
                repeated_cases,
            )
        )
        jobs = list(
            clients.map(
                lambda case, receipt: case[0].job(receipt["job_id"]), cases, ids
            )
        )
    assert [job["state"] for job in jobs] == ["done"] * 30
    assert [job["result"]["fna"]["size_mm"] for job in jobs] == [
        10 + number for number in range(30)
    ]
    assert [item["job_id"] for item in ids[30:]] == [job["job_id"] for job in jobs[::3]]
    for hospital in (north, south):
        new = set(hospital.jobs()) - set(jobs_before[id(hospital)])
        assert new == {
            job["job_id"]
            for job, case in zip(jobs, cases, strict=True)
            if case[0] is hospital
        }


def test_equal_images_in_one_batch_and_alone_get_equal_scores(north: Hospital) -> None:
    alone = north.read(png(3))["result"]["score"]
    values = [north.accepted(png(seed)) for seed in (3, 4, 3, 5)]
    scores = [north.job(item["job_id"])["result"]["score"] for item in values]
    assert scores[0] == pytest.approx(alone, abs=1e-6)
    assert scores[2] == pytest.approx(alone, abs=1e-6)


def test_an_explanation_is_a_picture_of_the_roi_as_the_model_saw_it(
    north: Hospital,
) -> None:
    image = encoded("png")
    receipt = north.accepted(image, roi='{"box": [60, 50, 120, 100]}')
    north.job(receipt["job_id"])
    first = north.http.get(receipt["links"]["explanation"])
    assert (first.status_code, first.content) == (202, b"")
    assert int(first.headers["Retry-After"]) > 0
    explanation = until(lambda: explained(north, receipt))
    shown_crop = crop(decode(image), Roi.parse(BOX), Framing(ROI_MARGIN))
    assert Image.open(BytesIO(explanation)).size == shown_crop.pixels.shape[::-1]


def explained(hospital: Hospital, receipt: dict[str, Any]) -> bytes | None:
    answer = hospital.http.get(receipt["links"]["explanation"])
    assert answer.status_code in (200, 202), answer.text
    return answer.content or None


def codes(result: dict[str, Any]) -> dict[str, str]:
    return {warning["code"]: warning["message"] for warning in result["warnings"]}


def test_no_case_fails_while_a_model_is_trained_and_replaces_the_live_one(
    changeover: Changeover, stage: Stage
) -> None:
    assert (
        changeover.imported.splitlines()[0]
        == "phantoms: 60 new, 0 already there, 0 refused."
    )
    assert changeover.run["state"] == "done"
    assert {job["state"] for job in changeover.jobs} == {"done"}
    digests = [job["result"]["model"]["digest"] for job in changeover.jobs]
    earlier = digests.count(changeover.digest_before)
    count_later = digests.count(changeover.run["model_digest"])
    assert (
        digests
        == [changeover.digest_before] * earlier
        + [changeover.run["model_digest"]] * count_later
    )
    assert (earlier > 10, count_later > 0) == (True, True)


def test_an_erased_case_takes_its_image_out_of_the_store(
    stage: Stage, north: Hospital
) -> None:
    job = north.read(encoded("png", seed=991))
    image = north.http.get(f"/v1/cases/{job['case_id']}").json()["image"]["sha256"]
    objects = open_store(stage.settings.objects)
    assert objects.exists(image)
    key = create_key(stage.settings, Role.HOSPITAL_ADMIN, "north", "test")
    erasure = stage.sera_json(
        f"case erase {job['case_id']} --ground patient-request --json", SERA_KEY=key
    )
    assert erasure["ground"] == "patient-request"
    assert north.http.get(f"/v1/jobs/{job['job_id']}").status_code == 410
    until(lambda: not objects.exists(image))
    assert stage.sera("audit", "verify").returncode == 0
