"""The fuzzing itself: it makes the same requests again, and a broken service does not pass."""

from random import Random

import httpx2
import pytest
from fastapi import FastAPI

from shared.domain.jobs import Reason
from shared.imaging import decode
from tests.support.http_server import at_an_address
from trials.fuzz.api import fuzz_api
from trials.fuzz.campaign import send_all
from trials.fuzz.memory import MemoryMonitor, Usage
from trials.fuzz.mutations import FORMAT_MUTATIONS, blind
from trials.fuzz.report import MAX_MIB, format_report, upload_report
from trials.fuzz.seeds import seeds
from trials.fuzz.tally import Tally
from trials.fuzz.upload import upload

PROBLEM = {"content-type": "application/problem+json"}


def test_seeds_of_our_own_are_sound():
    own_seeds = [seed for seed in seeds() if not seed.name.startswith("pydicom-")]
    assert len(own_seeds) > 30
    for seed in own_seeds:
        assert decode(seed.data).format is seed.format, seed.name


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG", b"II*\0", b"MM\0*\xff\xff\xff\xff", bytes(140)]
)
def test_mutations_take_rubble_too(data):
    for mutation in (
        *blind.ALL,
        *(item for aware in FORMAT_MUTATIONS.values() for item in aware),
    ):
        for number in range(5):
            assert isinstance(mutation(Random(number), data), bytes), mutation.__name__


def test_seed_and_number_make_the_same_upload_again():
    assert upload(3, 17) == upload(3, 17)
    assert len({upload(3, number).body for number in range(20)}) == 20
    assert upload(3, 17).body != upload(4, 17).body


def verdict(answer, tmp_path) -> Tally:
    """What a gateway that answers everything so is said of."""
    tally = Tally(tmp_path)
    with httpx2.Client(
        transport=httpx2.MockTransport(answer), base_url="http://sera"
    ) as client:
        send_all(client, [upload(1, 5)], tally)
    return tally


def hangs(request):
    raise httpx2.ReadTimeout("late", request=request)


def dies(request):
    raise httpx2.RemoteProtocolError("gone", request=request)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda request: httpx2.Response(500), "answered 500"),
        (lambda request: httpx2.Response(422, text="no"), "without a problem"),
        (hangs, "no answer in time"),
        (dies, "no answer: RemoteProtocolError"),
    ],
)
def test_a_broken_gateway_does_not_pass_and_the_upload_is_kept(answer, fault, tmp_path):
    tally = verdict(answer, tmp_path)
    assert fault in tally.faults[0]
    assert (tmp_path / "5.body").read_bytes() == upload(1, 5).body
    result = upload_report(1, 1.0, tally, {}, [])
    assert result["faults"] == tally.faults
    assert fault in format_report(result)


def test_a_refusal_with_a_reason_passes(tmp_path):
    refusal = httpx2.Response(422, json={"code": "image-unreadable"}, headers=PROBLEM)
    assert verdict(lambda request: refusal, tmp_path).faults == []


@pytest.mark.parametrize("reason", [Reason.INTERNAL, Reason.WORKER_LOST])
def test_a_job_that_an_image_broke_does_not_pass(reason, tmp_path):
    tally = Tally(tmp_path)
    tally.record_job(upload(1, 5), "failed", reason)
    assert reason in tally.faults[0]


def test_a_process_that_dies_swells_or_grows_does_not_pass(tmp_path):
    usage = {
        "api": Usage(process_mib=[MAX_MIB["api"] + 1]),
        "worker": Usage(process_mib=[100.0] * 8 + [400.0] * 8),
    }
    faults = upload_report(1, 1.0, Tally(tmp_path), usage, ["worker died: killed"])[
        "faults"
    ]
    assert faults[0] == "worker died: killed"
    assert ["api took" in faults[1], "worker grew by 300" in faults[2]] == [True, True]


def test_memory_is_read_of_processes_that_are_there():
    import os

    watch = MemoryMonitor(lambda: {"api": os.getpid()}, ("api", "worker"))
    watch.take_sample()
    assert watch.usage["api"].max_mib > 10
    assert watch.usage["worker"].process_mib == []


@pytest.mark.filterwarnings("default")  # of the fuzzing's own libraries
def test_an_api_that_fails_or_answers_otherwise_than_documented_does_not_pass():
    app = FastAPI()

    @app.get("/fails")
    def fails(number: int) -> int:
        return 1 // 0

    @app.get(
        "/lies",
        response_model=None,
        responses={200: {"content": {"application/json": {}}}},
    )
    def lies() -> dict:
        return {}

    app.openapi()["paths"]["/lies"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]["schema"] = {"type": "integer"}
    with at_an_address(app) as url:
        faults = " ".join(fuzz_api(url, "key", seed=1, examples=2, edges=False).faults)
    assert "GET /fails: not_a_server_error" in faults
    assert "GET /lies: response_schema_conformance" in faults
