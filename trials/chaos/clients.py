"""The clients of the hospitals: they retry with one idempotency key and record every answer."""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Unpack
from uuid import uuid4

import httpx2

from shared.domain.jobs import FINAL_STATES
from shared.http_types import RequestWithHeaders
from trials.slo import CaseRecord, PlannedCase

SENDERS = 6
READERS = 4
GIVE_UP_AFTER_S = 180.0
"""How long a hospital repeats a request before it gives up."""
RETRIED_STATUSES = {429, 500, 502, 503, 504, 507}
"""A request is repeated after a 500 too, as a careful client does; the judge counts it."""
PAUSE_S = 0.3
MAX_PAUSE_S = 3.0
POLL_S = 5


class Clients:
    """The clients of all hospitals.

    `records` are their notes on each case; `internal` counts answers with status 500.
    """

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        self._http = {name: _client(url, key) for name, key in keys.items()}
        self.any_key = next(iter(keys.values()))
        self._unread: queue.Queue[CaseRecord] = queue.Queue()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.records: list[CaseRecord] = []
        self.internal = 0
        self.repeated = 0
        self.resent = 0

    def close(self) -> None:
        for http in self._http.values():
            http.close()

    def send_all(self, planned: Sequence[PlannedCase], within_s: float) -> None:
        """Send cases in parallel, spread over `within_s` seconds.

        Returns when each case was answered or given up.
        """
        started = time.monotonic()
        interval_s = within_s / max(len(planned), 1)
        remaining_cases = iter(enumerate(planned))

        def sender() -> None:
            while not self._stopped.is_set():
                with self._lock:
                    position, case = next(remaining_cases, (0, None))
                if case is None:
                    return
                self._stopped.wait(
                    max(started + position * interval_s - time.monotonic(), 0)
                )
                self.send(case)

        _run_in_threads(SENDERS, sender)

    def send(self, planned: PlannedCase) -> CaseRecord:
        """Send one case until it is answered, and a second time if that is planned."""
        record = CaseRecord(planned)
        key = str(uuid4())
        with self._lock:
            self.records.append(record)
        for _ in range(1 + planned.twice):
            self._submit(record, key)
        if planned.twice:
            self._count("repeated")
        if record.receipts:
            self._unread.put(record)
        return record

    def read_all(self, is_sending_over: Callable[[], bool]) -> None:
        """Poll accepted cases until they are final, while more may come."""

        def reader() -> None:
            while not self._stopped.is_set():
                try:
                    record = self._unread.get(timeout=PAUSE_S)
                except queue.Empty:
                    if is_sending_over():
                        return
                    continue
                self.refresh_job(record)
                if record.job is None or record.job["state"] not in FINAL_STATES:
                    self._unread.put(record)
                    self._stopped.wait(PAUSE_S)

        _run_in_threads(READERS, reader)

    def refresh_job(self, record: CaseRecord, wait_s: float = POLL_S) -> None:
        """Fetch the job, and wait up to `wait_s` seconds until it is final."""
        path = f"/v1/jobs/{record.receipts[0]['job_id']}"
        answer = self._request(
            record.planned.hospital, "GET", path, params={"wait": wait_s}
        )
        if answer is not None:
            record.read(answer.json() if answer.status_code == 200 else None)

    def give_up(self) -> None:
        """End every thread, also those that wait."""
        self._stopped.set()

    def resume(self) -> None:
        self._stopped.clear()

    def list_jobs(self, hospital: str) -> list[dict[str, Any]]:
        """All jobs in the hospital's list."""
        jobs: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = self._request(
                hospital, "GET", "/v1/jobs", params={"limit": 100, **cursor}
            )
            if answer is None:
                return jobs
            page = answer.json()
            jobs += page["jobs"]
            if page["next_cursor"] is None:
                return jobs
            cursor = {"cursor": page["next_cursor"]}

    def _submit(self, record: CaseRecord, key: str) -> None:
        planned = record.planned
        fields = {
            "size_mm": str(planned.size_mm),
            "external_id": f"case-{planned.number}",
        }
        fields |= {"priority": "urgent"} if planned.urgent else {}
        files = {"image": (planned.filename, planned.image)}
        headers = {"Idempotency-Key": key}
        answer = self._request(
            planned.hospital,
            "POST",
            "/v1/cases",
            data=fields,
            files=files,
            headers=headers,
        )
        if answer is None:
            record.silent = True
        elif answer.status_code == 202:
            record.receipts.append(answer.json())
        else:
            record.refused = answer.json().get("code", str(answer.status_code))

    def _request(
        self,
        hospital: str,
        method: str,
        path: str,
        **request: Unpack[RequestWithHeaders],
    ) -> httpx2.Response | None:
        """Return the first final answer, or None if there is none within `GIVE_UP_AFTER_S`."""
        give_up = time.monotonic() + GIVE_UP_AFTER_S
        while time.monotonic() < give_up and not self._stopped.is_set():
            pause = PAUSE_S
            with suppress(httpx2.TransportError):
                answer = self._http[hospital].request(method, path, **request)
                if answer.status_code not in RETRIED_STATUSES:
                    return answer
                if answer.status_code == 500:
                    self._count("internal")
                retry_after = answer.headers.get("Retry-After", "")
                pause = (
                    min(float(retry_after), MAX_PAUSE_S)
                    if retry_after.isdigit()
                    else PAUSE_S
                )
            self._count("resent")
            self._stopped.wait(pause)
        return None

    def _count(self, counter: str) -> None:
        with self._lock:
            setattr(self, counter, getattr(self, counter) + 1)


def _client(url: str, key: str) -> httpx2.Client:
    limits = httpx2.Limits(max_connections=SENDERS + READERS)
    return httpx2.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
        limits=limits,
    )


def _run_in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
