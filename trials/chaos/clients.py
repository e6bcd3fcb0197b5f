"""The hospitals' own software: it keeps each request's key, sends again what was not answered, and
writes all down.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx2

from shared.domain.jobs import FINAL_STATES
from trials.slo import Planned, Promise

SENDERS = 6
READERS = 4
PATIENCE_S = 180.0
"""How long a hospital sends a case again before it gives up."""
AGAIN = {429, 500, 502, 503, 504, 507}
"""A 500 is sent again too, as a careful client does; the judge hears of it."""
PAUSE_S = 0.3
LONGEST_PAUSE_S = 3.0
POLL_S = 5


class Clients:
    """All hospitals' clients; `promises` is what they noted, `internal` how often SERA said 500."""

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        self._http = {name: _client(url, key) for name, key in keys.items()}
        self.any_key = next(iter(keys.values()))
        self._unread: queue.Queue[Promise] = queue.Queue()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.promises: list[Promise] = []
        self.internal = 0
        self.repeated = 0
        self.resent = 0

    def close(self) -> None:
        for http in self._http.values():
            http.close()

    def send_all(self, planned: Sequence[Planned], within_s: float) -> None:
        """Send them side by side, spread over a time; returns when each was answered, or given up."""
        began = time.monotonic()
        each_s = within_s / max(len(planned), 1)
        waiting = iter(enumerate(planned))

        def sender() -> None:
            while not self._over.is_set():
                with self._lock:
                    place, case = next(waiting, (0, None))
                if case is None:
                    return
                self._over.wait(max(began + place * each_s - time.monotonic(), 0))
                self.send(case)

        _side_by_side(SENDERS, sender)

    def send(self, planned: Planned) -> Promise:
        """Send one case until it is answered, and a second time where that is planned."""
        promise = Promise(planned)
        key = str(uuid4())
        with self._lock:
            self.promises.append(promise)
        for _ in range(1 + planned.twice):
            self._submit(promise, key)
        if planned.twice:
            self._count("repeated")
        if promise.receipts:
            self._unread.put(promise)
        return promise

    def read_all(self, until: Callable[[], bool]) -> None:
        """Poll what was promised until it is final, while more may come."""

        def reader() -> None:
            while not self._over.is_set():
                try:
                    promise = self._unread.get(timeout=PAUSE_S)
                except queue.Empty:
                    if until():
                        return
                    continue
                self.look(promise)
                if promise.job is None or promise.job["state"] not in FINAL_STATES:
                    self._unread.put(promise)
                    self._over.wait(PAUSE_S)

        _side_by_side(READERS, reader)

    def look(self, promise: Promise, wait_s: float = POLL_S) -> None:
        """The job now, or as soon as it is final within `wait_s`."""
        path = f"/v1/jobs/{promise.receipts[0]['job_id']}"
        answer = self._patiently(
            promise.planned.hospital, "GET", path, params={"wait": wait_s}
        )
        if answer is not None:
            promise.job = answer.json() if answer.status_code == 200 else None

    def give_up(self) -> None:
        """Let every thread end, whatever it waits for."""
        self._over.set()

    def resume(self) -> None:
        self._over.clear()

    def listed(self, hospital: str) -> list[dict[str, Any]]:
        """Every job the hospital finds when it looks through its list."""
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            answer = self._patiently(
                hospital, "GET", "/v1/jobs", params={"limit": 100, **more}
            )
            if answer is None:
                return found
            page = answer.json()
            found += page["jobs"]
            if page["next_cursor"] is None:
                return found
            more = {"cursor": page["next_cursor"]}

    def _submit(self, promise: Promise, key: str) -> None:
        planned = promise.planned
        told = {
            "size_mm": str(planned.size_mm),
            "external_id": f"case-{planned.number}",
        }
        told |= {"priority": "urgent"} if planned.urgent else {}
        files = {"image": (planned.filename, planned.image)}
        headers = {"Idempotency-Key": key}
        answer = self._patiently(
            planned.hospital,
            "POST",
            "/v1/cases",
            data=told,
            files=files,
            headers=headers,
        )
        if answer is None:
            promise.silent = True
        elif answer.status_code == 202:
            promise.receipts.append(answer.json())
        else:
            promise.refused = answer.json().get("code", str(answer.status_code))

    def _patiently(
        self, hospital: str, method: str, path: str, **parts: Any
    ) -> httpx2.Response | None:
        """The first answer that is not "come again"; None if there was none for as long as a
        hospital waits.
        """
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up and not self._over.is_set():
            pause = PAUSE_S
            with suppress(httpx2.TransportError):
                answer = self._http[hospital].request(method, path, **parts)
                if answer.status_code not in AGAIN:
                    return answer
                if answer.status_code == 500:
                    self._count("internal")
                later = answer.headers.get("Retry-After", "")
                pause = (
                    min(float(later), LONGEST_PAUSE_S) if later.isdigit() else PAUSE_S
                )
            self._count("resent")
            self._over.wait(pause)
        return None

    def _count(self, what: str) -> None:
        with self._lock:
            setattr(self, what, getattr(self, what) + 1)


def _client(url: str, key: str) -> httpx2.Client:
    limits = httpx2.Limits(max_connections=SENDERS + READERS)
    return httpx2.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
        limits=limits,
    )


def _side_by_side(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
