"""A stack as it was put up somewhere, from its first operator to results, over TLS and from outside.

`deploy/docker/verify.sh` runs it within compose; by hand: SERA_URL, SERA_OPERATOR_PASSWORD (of the account `operator`,
at first the one-time one), and SSL_CERT_FILE where an authority of one's own signed the certificate. With
SERA_KILLS=1 somebody kills a worker meanwhile.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2
import pytest
from pydicom import examples
from rich.console import Console

from cli.commands.train import request_run
from cli.connection import ApiClient, ApiProblem
from cli.demo.cases import png
from cli.output.training_progress import follow
from cli.work.submission import CaseFile, submit, submit_and_wait, wait_for_result
from shared.phantoms import draw

URL = os.environ.get("SERA_URL", "")
PASSWORD = os.environ.get("SERA_OPERATOR_PASSWORD", "")
OWN = "five words for one trial"
KILLS = bool(os.environ.get("SERA_KILLS"))
IMAGES = 120
CASES = 24
BURST = 400

pytestmark = [
    pytest.mark.skipif(
        not (URL and PASSWORD), reason="needs a deployed stack: deploy/docker/verify.sh"
    ),
    pytest.mark.timeout(900),
]


@dataclass(frozen=True)
class Deployed:
    """Keys of a stack's operator and of two hospitals."""

    operator: ApiClient
    hospitals: dict[str, ApiClient]


@pytest.fixture(scope="module")
def stack() -> Deployed:
    """The first operator signs in, chooses a password, and makes keys for all."""
    with httpx2.Client(base_url=URL, headers={"Origin": URL}, timeout=60) as browser:
        told = browser.post(
            "/v1/session", json={"name": "operator", "password": PASSWORD}
        )
        assert told.status_code == 201, told.text
        browser.headers["X-CSRF-Token"] = told.json()["csrf"]
        if told.json()["must_change"]:
            told = browser.post(
                "/v1/session/password", json={"old": PASSWORD, "new": OWN}
            )
            assert told.is_success, told.text
            browser.headers["X-CSRF-Token"] = told.json()["csrf"]
            for name in ("north", "south"):
                assert (
                    browser.post("/v1/hospitals", json={"name": name}).status_code
                    == 201
                )
        operator = key(browser, "operator")
        apis = {
            name: ApiClient(URL, key(browser, "submitter", name))
            for name in ("north", "south")
        }
    return Deployed(ApiClient(URL, operator), apis)


def key(browser: httpx2.Client, role: str, hospital: str | None = None) -> str:
    told = browser.post(
        "/v1/keys", json={"role": role, "label": "trial", "hospital": hospital}
    )
    assert told.status_code == 201, told.text
    return told.json()["key"]


@pytest.fixture(scope="module")
def live(stack) -> str:
    """Digest of the live model: one that the stack's trainer made of phantoms, and that its operator promoted."""
    there = [
        model["digest"]
        for model in stack.operator.get_list("/v1/models")
        if model["live"]
    ]
    if there:
        return there[0]
    stack.operator.post("/v1/datasets", json={"name": "phantoms", "synthetic": True})
    for seed in range(200_000, 200_000 + IMAGES):
        phantom = draw(seed, malignant=seed % 2 == 0)
        data = {"malignant": str(phantom.malignant), "size_mm": str(phantom.size_mm)}
        files = {"image": ("phantom.png", png(phantom))}
        stack.operator.post("/v1/datasets/phantoms/images", data=data, files=files)
    run = follow(
        stack.operator,
        request_run(stack.operator, "phantoms", "starter"),
        Console(stderr=True),
    )
    assert run["state"] == "done", run["message"]
    stack.operator.post(
        f"/v1/models/{run['model_digest']}/promote",
        json={"reason": "the first model of a trial"},
    )
    return run["model_digest"]


def phantom_case(seed: int) -> CaseFile:
    phantom = draw(seed, malignant=seed % 2 == 0)
    return CaseFile(f"phantom-{seed}.png", png(phantom), round(phantom.size_mm, 1))


def test_two_hospitals_at_once_get_a_result_for_each_of_their_cases(stack, live):
    cases = [
        (name, phantom_case(300_000 + number))
        for number in range(CASES)
        for name in stack.hospitals
    ]
    with ThreadPoolExecutor(8) as pool:
        jobs = list(
            pool.map(
                lambda each: submit_and_wait(stack.hospitals[each[0]], each[1]), cases
            )
        )
    assert {job["state"] for job in jobs} == {"done"}
    assert {job["result"]["model"]["digest"] for job in jobs} == {live}
    assert all(
        0 < job["result"]["risk"] < 1 and job["result"]["fna"]["rule"] for job in jobs
    )
    assert len({job["case_id"] for job in jobs}) == len(cases)


def test_a_dicom_file_is_read(stack, live):
    data = examples.get_path("palette_color").read_bytes()
    job = submit_and_wait(stack.hospitals["north"], CaseFile("loop.dcm", data, 12.0))
    assert job["state"] == "done"


def test_nobody_sees_a_case_of_another_hospital(stack, live):
    receipt = submit(stack.hospitals["north"], phantom_case(400_000))
    assert (
        wait_for_result(stack.hospitals["north"], receipt["job_id"])["state"] == "done"
    )
    with pytest.raises(ApiProblem) as refused:
        stack.hospitals["south"].get(f"/v1/cases/{receipt['case_id']}")
    assert refused.value.code == "not-found"


def test_the_audit_trail_is_whole(stack, live):
    told = stack.operator.get("/v1/audit/verify")
    assert told["whole"], told["wrong"]


def test_the_pages_are_served_over_tls_alone():
    page = httpx2.get(f"{URL}/sign-in")
    assert page.status_code == 200
    assert "strict-transport-security" in page.headers
    plain = httpx2.get(URL.replace("https://", "http://") + "/sign-in")
    assert plain.status_code == 308


@pytest.mark.skipif(
    not KILLS, reason="needs somebody who kills a worker: deploy/docker/verify.sh"
)
def test_cases_outlive_the_worker_that_had_them_in_hand(stack, live):
    with ThreadPoolExecutor(16) as pool:
        jobs = list(
            pool.map(
                lambda seed: submit_and_wait(
                    stack.hospitals["south"], phantom_case(seed)
                ),
                range(BURST, 2 * BURST),
            )
        )
    assert {job["state"] for job in jobs} == {"done"}
    assert len({job["case_id"] for job in jobs}) == BURST
    assert max(job["attempts"] for job in jobs) > 1, (
        "no worker was killed with cases in hand"
    )
