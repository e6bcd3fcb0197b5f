import asyncio
import json
import re
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from trials.load.arrivals import Arrival
from trials.load.clients import ClientRecords, Clients
from trials.load.images import FORMATS, ImageSource
from trials.slo import Kind, PlannedCase

ALBUM = ImageSource(FORMATS[:1])
DONE = {"state": "done", "attempts": 1, "reason": None}
Work = Callable[[Clients], Coroutine[None, None, None]]


class GatewayHandler(BaseHTTPRequestHandler):
    """A gateway of a few lines: what it answers is told by `refusals` and `together`."""

    protocol_version = "HTTP/1.1"
    refusals: ClassVar[list[int]] = []
    together: ClassVar[threading.Barrier | None] = None
    requests: ClassVar[list[tuple[str, str]]] = []
    """Key of the hospital and of the request."""
    cases: ClassVar[dict[str, str]] = {}
    """Size by the request's key."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        self.requests.append((self.headers["Authorization"], key))
        if self.together:
            self.together.wait(10)
        if self.refusals:
            self.tell(self.refusals.pop(), {"code": "away"})
            return
        size = re.search(rb'name="size_mm"\r\n\r\n([\d.]+)', body)[1].decode()
        self.cases[key] = size
        self.tell(202, {"job_id": key, "case_id": f"case-{key}"})

    def do_GET(self) -> None:
        if self.path.startswith("/v1/jobs?"):
            self.tell(
                200,
                {
                    "jobs": [self.job(key) for key in reversed(self.cases)],
                    "next_cursor": None,
                },
            )
        else:
            self.tell(
                200, self.job(self.path.removeprefix("/v1/jobs/").partition("?")[0])
            )

    def job(self, key: str) -> dict[str, object]:
        return DONE | {
            "job_id": key,
            "case_id": f"case-{key}",
            "result": {"fna": {"size_mm": float(self.cases[key])}},
        }

    def tell(self, status: int, body: object) -> None:
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    """Where a desk answers that nobody has asked yet."""
    GatewayHandler.refusals = []
    GatewayHandler.together = None
    GatewayHandler.requests = []
    GatewayHandler.cases = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), GatewayHandler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def arrival(number: int, at_s: float = 0.0, twice: bool = False) -> Arrival:
    return Arrival(
        at_s, PlannedCase(number, "load-01", Kind.GOOD, 5.0 + number, twice=twice)
    )


def with_clients(url: str, work: Work, stopped: bool = False) -> ClientRecords:
    async def through() -> ClientRecords:
        stop = asyncio.Event()
        if stopped:
            stop.set()
        async with Clients(url, {"load-01": "secret"}, ALBUM, stop) as clients:
            await work(clients)
            return clients.notes

    return asyncio.run(through())


def sent(url: str, arrivals: Sequence[Arrival], stopped: bool = False) -> ClientRecords:
    async def send(clients: Clients) -> None:
        clients.begin()
        await clients.send_all(arrivals)
        await clients.settle(30)

    return with_clients(url, send, stopped)


def test_a_case_is_sent_with_its_hospitals_key_and_its_result_awaited(url):
    (case,) = sent(url, [arrival(1)]).sent_cases
    assert GatewayHandler.requests[0][0] == "Bearer secret"
    assert case.record.job["result"] == {"fna": {"size_mm": 6.0}}
    assert 0 < case.accepted_s < case.answered_s


def test_what_was_refused_for_now_is_noted_and_sent_again_under_the_same_key(url):
    GatewayHandler.refusals[:] = [503, 429]
    notes = sent(url, [arrival(1)])
    assert [fault.code for fault in notes.faults] == ["429", "503"]
    assert len(GatewayHandler.requests) == 3
    assert len(set(GatewayHandler.requests)) == 1
    assert notes.sent_cases[0].answered_s is not None


def test_what_was_refused_for_good_is_noted_and_not_sent_again(url):
    GatewayHandler.refusals[:] = [422]
    notes = sent(url, [arrival(1)])
    assert ([fault.code for fault in notes.faults], len(GatewayHandler.requests)) == (
        ["422"],
        1,
    )
    assert (notes.sent_cases[0].record.refused, notes.sent_cases[0].accepted_s) == (
        "away",
        None,
    )


def test_a_case_that_is_sent_twice_has_two_receipts_for_one_request(url):
    (case,) = sent(url, [arrival(1, twice=True)]).sent_cases
    assert len(case.record.receipts) == 2
    assert len(set(GatewayHandler.requests)) == 1
    assert len(case.record.jobs) == 1


def test_a_case_is_sent_when_it_is_due_though_none_before_it_was_answered(url):
    GatewayHandler.together = threading.Barrier(3)
    notes = sent(url, [arrival(1), arrival(2), arrival(3)])
    assert [case.answered_s is not None for case in notes.sent_cases] == [True] * 3


def test_latencies_count_from_when_a_case_was_due(url):
    (case,) = sent(url, [arrival(1, at_s=-5.0)]).sent_cases
    assert case.late_s >= 5.0
    assert case.accepted_s >= 5.0


def test_an_interruption_ends_sending_and_waits_for_nothing(url):
    assert (
        sent(url, [arrival(1), arrival(2, at_s=3600.0)], stopped=True).sent_cases == []
    )


def test_the_list_of_a_hospital_goes_back_to_what_it_had_before(url):
    listed = {}

    async def send(clients: Clients) -> None:
        await clients.record_newest_jobs()
        clients.begin()
        await clients.send_all([arrival(1)])
        await clients.settle(30)
        listed.update(await clients.list_jobs())

    GatewayHandler.cases["earlier"] = "9.0"
    notes = with_clients(url, send)
    assert [job["job_id"] for job in listed["load-01"]] == list(
        notes.sent_cases[0].record.jobs
    )
