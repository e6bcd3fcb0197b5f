"""Tests a deployed stack from outside over TLS, from its first operator to results.

`deploy/docker/verify.sh` runs these tests within compose. To run them by hand, set SERA_URL and
SERA_OPERATOR_PASSWORD (the password of the account `operator`, at first the one-time password), and
SSL_CERT_FILE if a private authority signed the certificate. SERA_KILLS=1 says that another process
kills a worker during the tests.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

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
NEW_PASSWORD = "five words for one trial"
KILLS = bool(os.environ.get("SERA_KILLS"))
HOSPITALS = ("north", "south")
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
        answer = browser.post(
            "/v1/session", json={"name": "operator", "password": PASSWORD}
        )
        assert answer.status_code == 201, answer.text
        browser.headers["X-CSRF-Token"] = answer.json()["csrf"]
        if answer.json()["must_change"]:
            answer = browser.post(
                "/v1/session/password", json={"old": PASSWORD, "new": NEW_PASSWORD}
            )
            assert answer.is_success, answer.text
            browser.headers["X-CSRF-Token"] = answer.json()["csrf"]
            for name in HOSPITALS:
                answer = browser.post("/v1/hospitals", json={"name": name})
                assert answer.status_code == 201, answer.text
        operator_key = create_key(browser, "operator")
        hospitals = {
            name: ApiClient(URL, create_key(browser, "submitter", name))
            for name in HOSPITALS
        }
    return Deployed(operator=ApiClient(URL, operator_key), hospitals=hospitals)


def create_key(browser: httpx2.Client, role: str, hospital: str | None = None) -> str:
    answer = browser.post(
        "/v1/keys", json={"role": role, "label": "trial", "hospital": hospital}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]


@pytest.fixture(scope="module")
def live(stack) -> str:
    """The digest of the live model.

    If there is none, the stack's trainer makes one from phantoms, and the operator promotes it.
    """
    for model in stack.operator.get_list("/v1/models"):
        if model["live"]:
            return model["digest"]
    stack.operator.post("/v1/datasets", json={"name": "phantoms", "synthetic": True})
    for seed in range(200_000, 200_000 + IMAGES):
        phantom = draw(seed, malignant=seed % 2 == 0)
        data = {"malignant": str(phantom.malignant), "size_mm": str(phantom.size_mm)}
        files = {"image": ("phantom.png", png(phantom))}
        stack.operator.post("/v1/datasets/phantoms/images", data=data, files=files)
    run_id = request_run(stack.operator, "phantoms", "starter")
    run = follow(stack.operator, run_id, Console(stderr=True))
    assert run["state"] == "done", run["message"]
    stack.operator.post(
        f"/v1/models/{run['model_digest']}/promote",
        json={"reason": "the first model of a trial"},
    )
    return run["model_digest"]


def phantom_case(seed: int) -> CaseFile:
    phantom = draw(seed, malignant=seed % 2 == 0)
    return CaseFile(
        name=f"phantom-{seed}.png",
        data=png(phantom),
        size_mm=round(phantom.size_mm, 1),
    )


def test_two_hospitals_at_once_get_a_result_for_each_of_their_cases(stack, live):
    apis = []
    cases = []
    for number in range(CASES):
        for api in stack.hospitals.values():
            apis.append(api)
            cases.append(phantom_case(300_000 + number))
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(submit_and_wait, apis, cases))
    assert {job["state"] for job in jobs} == {"done"}
    assert {job["result"]["model"]["digest"] for job in jobs} == {live}
    assert all(
        0 < job["result"]["risk"] < 1 and job["result"]["fna"]["rule"] for job in jobs
    )
    assert len({job["case_id"] for job in jobs}) == len(cases)


def test_a_dicom_file_is_read(stack, live):
    data = examples.get_path("palette_color").read_bytes()
    job = submit_and_wait(
        stack.hospitals["north"], CaseFile(name="loop.dcm", data=data, size_mm=12.0)
    )
    assert job["state"] == "done"


def test_nobody_sees_a_case_of_another_hospital(stack, live):
    receipt = submit(stack.hospitals["north"], phantom_case(400_000))
    assert (
        wait_for_result(stack.hospitals["north"], receipt["job_id"])["state"] == "done"
    )
    with pytest.raises(ApiProblem) as refused:
        stack.hospitals["south"].get(f"/v1/cases/{receipt['case_id']}")
    assert refused.value.code == "not-found"


def test_the_audit_trail_is_intact(stack, live):
    verification = stack.operator.get("/v1/audit/verify")
    assert verification["whole"], verification["wrong"]


def test_the_pages_are_served_over_tls_alone():
    page = httpx2.get(f"{URL}/sign-in")
    assert page.status_code == 200
    assert "strict-transport-security" in page.headers
    plain = httpx2.get(URL.replace("https://", "http://") + "/sign-in")
    assert plain.status_code == 308


@pytest.mark.skipif(
    not KILLS, reason="needs a process that kills a worker: deploy/docker/verify.sh"
)
def test_cases_outlive_the_worker_that_had_them_in_hand(stack, live):
    def submit_phantom(seed: int) -> dict[str, Any]:
        return submit_and_wait(stack.hospitals["south"], phantom_case(seed))

    with ThreadPoolExecutor(16) as pool:
        jobs = list(pool.map(submit_phantom, range(BURST, 2 * BURST)))
    assert {job["state"] for job in jobs} == {"done"}
    assert len({job["case_id"] for job in jobs}) == BURST
    assert max(job["attempts"] for job in jobs) > 1, (
        "no worker was killed with cases in hand"
    )
