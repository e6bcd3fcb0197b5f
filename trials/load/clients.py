"""The clients of all hospitals, on one event loop so that they use little CPU time.

A case is sent when it is due, whatever happened to earlier cases, and its latencies count from that
moment. A stalled stack therefore cannot delay the cases that would have waited.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Unpack
from uuid import uuid4

import httpx2

from shared.domain.jobs import FINAL_STATES, JobState
from shared.http_types import RequestParts
from trials.load.arrivals import Arrival
from trials.load.images import ImageSource
from trials.slo import CaseRecord, Jobs

LONG_POLL_S = 20
ANSWER_S = 30.0
MAX_POLLS = 256
"""Long polls at the same time. Later cases of a long queue are polled after older ones."""
IDLE_S = 2.0
"""An unused connection is closed after this time, before the server closes it (uvicorn: 5 s) just
as a request is sent.
"""
RETRIED_STATUSES = {429, 500, 502, 503, 504, 507}
PAUSE_S = 0.5
MAX_PAUSE_S = 10.0
PAGE = 200
TIMEOUT = "timeout"
CONNECTION_LOST = "connection-lost"


@dataclass(frozen=True)
class Fault:
    """An error answer, or a request without an answer."""

    at_s: float
    code: str
    """The HTTP status, or the kind of connection error."""


@dataclass
class SentCase:
    """A case that was sent. Times are seconds after it was due."""

    arrival: Arrival
    record: CaseRecord
    late_s: float
    """How late this program itself sent the case."""
    accepted_s: float | None = None
    answered_s: float | None = None

    @property
    def hospital(self) -> str:
        return self.arrival.planned.hospital


@dataclass
class ClientRecords:
    """The records of all hospitals together."""

    sent_cases: list[SentCase] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ended_s: float = 0.0
    """When the last case was answered, or given up."""


class Clients:
    """Open it as a context; then `record_newest_jobs`, `begin`, `send_all`,
    `settle`, `list_jobs`.
    """

    def __init__(
        self, url: str, keys: Mapping[str, str], album: ImageSource, stop: asyncio.Event
    ) -> None:
        self._url = url
        self._keys = keys
        self._album = album
        self._stop = stop
        self._polls = asyncio.Semaphore(MAX_POLLS)
        self._began = time.perf_counter()
        self._open: set[asyncio.Task[None]] = set()
        self._newest: dict[str, str | None] = {}
        self.notes = ClientRecords()

    async def __aenter__(self) -> "Clients":
        limits = httpx2.Limits(
            max_keepalive_connections=2 * MAX_POLLS, keepalive_expiry=IDLE_S
        )
        self._http = httpx2.AsyncClient(
            base_url=self._url, timeout=ANSWER_S, limits=limits
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cancel_open_cases()
        await self._http.aclose()

    @property
    def now_s(self) -> float:
        """Seconds since the load began."""
        return time.perf_counter() - self._began

    async def record_newest_jobs(self) -> None:
        """Note what each hospital has sent before, so that it is not taken for this load's."""
        for hospital in self._keys:
            jobs = (await self._page(hospital, limit=1))["jobs"]
            self._newest[hospital] = jobs[0]["job_id"] if jobs else None

    def begin(self) -> None:
        """Start the clock of the load."""
        self._began = time.perf_counter()

    async def send_all(self, arrivals: Sequence[Arrival]) -> None:
        """Send each when it is due; returns after the last one, or when `stop` is set."""
        for arrival in arrivals:
            name, image = self._album.image(arrival.planned.number)
            if await self._wait_for_stop(arrival.at_s - self.now_s):
                return
            task = asyncio.create_task(self._process_case(arrival, name, image))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def settle(self, within_s: float) -> None:
        """Wait for what is open still; when `stop` is set or time is up, it is left open."""
        deadline_s = self.now_s + within_s
        while (
            self._open
            and self.now_s < deadline_s
            and not await self._wait_for_stop(0.1)
        ):
            pass
        await self._cancel_open_cases()
        self.notes.ended_s = self.now_s

    async def list_jobs(self) -> Jobs:
        """Every job that hospitals find of this load; not of those with a request whose fate they
        do not know.
        """
        unsure_hospitals = {
            sent_case.hospital
            for sent_case in self.notes.sent_cases
            if not sent_case.record.receipts
        }
        return {
            hospital: await self._jobs(hospital)
            for hospital in self._keys
            if hospital not in unsure_hospitals
        }

    async def _wait_for_stop(self, within_s: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), max(within_s, 0))
        return self._stop.is_set()

    async def _cancel_open_cases(self) -> None:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _process_case(self, arrival: Arrival, name: str, image: bytes) -> None:
        sent_case = SentCase(
            arrival, CaseRecord(arrival.planned), self.now_s - arrival.at_s
        )
        key = str(uuid4())
        self.notes.sent_cases.append(sent_case)
        await self._submit(sent_case.record, key, name, image)
        if not sent_case.record.receipts:
            return
        sent_case.accepted_s = self.now_s - arrival.at_s
        repetition = (
            [self._submit(sent_case.record, key, name, image)]
            if arrival.planned.twice
            else []
        )
        await asyncio.gather(self._wait_for_result(sent_case), *repetition)

    async def _submit(
        self, record: CaseRecord, key: str, name: str, image: bytes
    ) -> None:
        planned = record.planned
        fields = {
            "size_mm": str(planned.size_mm),
            "external_id": f"case-{planned.number}",
        }
        fields |= {"priority": "urgent"} if planned.urgent else {}
        answer = await self._request(
            planned.hospital,
            "POST",
            "/v1/cases",
            headers={"Idempotency-Key": key},
            data=fields,
            files={"image": (name, image)},
        )
        if answer.status_code == httpx2.codes.ACCEPTED:
            record.receipts.append(answer.json())
        else:
            record.refused = _refusal_code(answer)

    async def _wait_for_result(self, sent_case: SentCase) -> None:
        """Long-poll until the job is final."""
        path = f"/v1/jobs/{sent_case.record.receipts[0]['job_id']}"
        while (
            sent_case.record.job is None
            or sent_case.record.job["state"] not in FINAL_STATES
        ):
            async with self._polls:
                answer = await self._request(
                    sent_case.hospital, "GET", path, params={"wait": LONG_POLL_S}
                )
            if answer.status_code != httpx2.codes.OK:
                return
            sent_case.record.job = _judged_fields(answer.json())
        sent_case.answered_s = self.now_s - sent_case.arrival.at_s

    async def _request(
        self,
        hospital: str,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        **parts: Unpack[RequestParts],
    ) -> httpx2.Response:
        """The first answer that does not ask to come again; all others are noted."""
        all_headers = {
            "Authorization": f"Bearer {self._keys[hospital]}",
            **(headers or {}),
        }
        attempt = 0
        while True:
            pause_s = min(PAUSE_S * 2 ** min(attempt, 10), MAX_PAUSE_S)
            attempt += 1
            with self._recording_faults():
                answer = await self._http.request(
                    method, path, headers=all_headers, **parts
                )
                if answer.status_code < httpx2.codes.BAD_REQUEST:
                    return answer
                self._record_fault(str(answer.status_code))
                if answer.status_code not in RETRIED_STATUSES:
                    return answer
                retry_after = answer.headers.get("Retry-After", "")
                pause_s = (
                    min(float(retry_after), MAX_PAUSE_S)
                    if retry_after.isdigit()
                    else pause_s
                )
            await asyncio.sleep(pause_s)

    @contextmanager
    def _recording_faults(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TimeoutException:
            self._record_fault(TIMEOUT)
        except httpx2.TransportError:
            self._record_fault(CONNECTION_LOST)

    def _record_fault(self, code: str) -> None:
        self.notes.faults.append(Fault(self.now_s, code))

    async def _jobs(self, hospital: str) -> list[dict[str, Any]]:
        """The jobs of this load, newest first."""
        jobs: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self._page(hospital, limit=PAGE, **cursor)
            for job in page["jobs"]:
                if job["job_id"] == self._newest.get(hospital):
                    return jobs
                jobs.append(_judged_fields(job))
            if page["next_cursor"] is None:
                return jobs
            cursor = {"cursor": page["next_cursor"]}

    async def _page(self, hospital: str, **parameters: str | int) -> dict[str, Any]:
        answer = await self._request(hospital, "GET", "/v1/jobs", params=parameters)
        answer.raise_for_status()
        page: dict[str, Any] = answer.json()
        return page


def _judged_fields(job: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a job that are judged. A load has too many jobs to store them whole."""
    fields = {
        name: job[name] for name in ("job_id", "case_id", "state", "attempts", "reason")
    }
    if job["state"] == JobState.DONE:
        size_mm = job["result"]["fna"]["size_mm"]
        fields["result"] = {"fna": {"size_mm": size_mm}}
    return fields


def _refusal_code(answer: httpx2.Response) -> str:
    """The code of a problem, or the status of any other answer."""
    with suppress(ValueError, KeyError, TypeError):
        code: str = answer.json()["code"]
        return code
    return str(answer.status_code)
