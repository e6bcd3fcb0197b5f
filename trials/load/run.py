"""Runs a load: creates hospitals and keys, sends cases, waits for results and judges them."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import httpx2

from shared.domain.jobs import JobState
from shared.errors import SeraError
from trials.load.arrivals import LoadPlan, schedule
from trials.load.clients import ClientRecords, Clients, SentCase
from trials.load.errors import NoModelLive
from trials.load.images import FORMATS, ImageSource
from trials.load.metrics import (
    Fairness,
    Growth,
    Latency,
    Share,
    by_hospital,
    codes,
    fairness,
    growth,
    result_s,
    submit_s,
)
from trials.load.monitoring import Operator, Sample, StackMonitor
from trials.load.verdict import SETTLE_TIMEOUT_S, Observations, Rule, rules
from trials.slo import Jobs, Violations, find_violations

LABEL = "load"
KEY_DAYS = 2
"""A key that could not be revoked expires after this time."""
PRINT_EVERY_S = 30.0
LISTED_WITHIN_S = 120.0
PrintLine = Callable[[str], None]


@dataclass(frozen=True)
class LoadRun:
    """The measurements and records of one load."""

    load: LoadPlan
    url: str
    model: str
    began: datetime
    interrupted: bool
    notes: ClientRecords
    samples: Sequence[Sample]
    restarted: dict[str, float]
    answers: Violations
    cpu_share: float
    """The share of one core that the load generator itself used."""
    is_local: bool

    @property
    def sent_cases(self) -> list[SentCase]:
        return self.notes.sent_cases

    @property
    def seconds(self) -> float:
        return self.notes.ended_s

    @property
    def done(self) -> int:
        jobs = (case.record.job for case in self.sent_cases)
        return sum(job["state"] == JobState.DONE for job in jobs if job)

    @property
    def open(self) -> int:
        """Cases without a final answer after an interruption."""
        return sum(
            case.answered_s is None and case.record.refused is None
            for case in self.sent_cases
        )

    @cached_property
    def submit(self) -> Latency:
        return Latency.from_seconds(submit_s(self.sent_cases))

    @cached_property
    def result(self) -> Latency:
        return Latency.from_seconds(result_s(self.sent_cases))

    @cached_property
    def lateness(self) -> Latency:
        return Latency.from_seconds([case.late_s for case in self.sent_cases])

    @cached_property
    def faults(self) -> dict[str, int]:
        return codes(self.notes.faults)

    @cached_property
    def shares(self) -> list[Share]:
        return by_hospital(self.sent_cases)

    @cached_property
    def fairness(self) -> Fairness | None:
        return fairness(self.shares, self.result)

    @cached_property
    def growth(self) -> list[Growth]:
        return growth(self.samples)

    @cached_property
    def rules(self) -> list[Rule]:
        return rules(
            Observations(
                seconds=self.seconds,
                faults=self.faults,
                answers=self.answers,
                overall=self.result,
                fairness=self.fairness,
                growth=self.growth,
                restarted=self.restarted,
                is_local=self.is_local,
            )
        )

    @property
    def passed(self) -> bool:
        return not any(rule.broken for rule in self.rules)


class LoadRunner:
    """One load of one stack. `home` is the stack's, where it is this machine's own."""

    def __init__(
        self,
        load: LoadPlan,
        url: str,
        operator: Operator,
        home: Path | None,
        print_line: PrintLine,
    ) -> None:
        self._load = load
        self._url = url
        self._operator = operator
        self._home = home
        self._print_line = print_line

    def run(self) -> LoadRun:
        """Run until the last case is answered.

        Ctrl-C ends the load early and keeps the measurements; a second Ctrl-C ends the program.
        """
        model = live_model(self._operator)
        self._print_line(
            f"drawing phantoms, and making keys for {self._load.hospitals} hospitals ..."
        )
        album = ImageSource(FORMATS)
        with hospital_keys(self._operator, self._load.names, self._print_line) as keys:
            return asyncio.run(self._run_load(keys, album, model))

    async def _run_load(
        self, keys: dict[str, str], album: ImageSource, model: str
    ) -> LoadRun:
        stop = _stopped_by_ctrl_c()
        async with Clients(self._url, keys, album, stop) as clients:
            await clients.record_newest_jobs()
            clients.begin()
            began = datetime.now(UTC)
            cpu_s = time.process_time()
            monitor = StackMonitor(self._operator, self._home, lambda: clients.now_s)
            async with (
                _in_background(monitor.run()),
                _in_background(self._print_progress(clients)),
            ):
                await self._send(clients)
            notes = clients.notes
            interrupted = stop.is_set()
            cpu_share = (time.process_time() - cpu_s) / max(notes.ended_s, 1e-9)
            answers = judged(notes.sent_cases, await self._listed(clients), interrupted)
        return LoadRun(
            load=self._load,
            url=self._url,
            model=model,
            began=began,
            interrupted=interrupted,
            notes=notes,
            samples=monitor.samples,
            restarted=monitor.restarted,
            answers=answers,
            cpu_share=cpu_share,
            is_local=self._home is not None,
        )

    async def _send(self, clients: Clients) -> None:
        load = self._load
        arrivals = schedule(load)
        self._print_line(
            f"{len(arrivals)} cases over {load.minutes:g} min (seed {load.seed}); Ctrl-C "
            "reports what there is."
        )
        await clients.send_all(arrivals)
        await clients.settle(SETTLE_TIMEOUT_S)

    async def _listed(self, clients: Clients) -> Jobs:
        """The jobs of each hospital; empty if SERA no longer answers."""
        with suppress(TimeoutError, httpx2.HTTPStatusError):
            return await asyncio.wait_for(clients.list_jobs(), LISTED_WITHIN_S)
        self._print_line(
            "SERA does not list the hospitals' jobs; whether any is double is told by their "
            "receipts alone."
        )
        return {}

    async def _print_progress(self, clients: Clients) -> None:
        while True:
            await asyncio.sleep(PRINT_EVERY_S)
            sent = clients.notes.sent_cases
            answered = sum(case.answered_s is not None for case in sent)
            self._print_line(
                f"  {clients.now_s:.0f} s: {len(sent)} sent, {answered} answered"
            )


def judged(sent: Sequence[SentCase], listed: Jobs, interrupted: bool) -> Violations:
    """Judge the records of a load.

    After an interruption only cases with an observed end are judged. Without one, a case without
    an answer counts as lost.
    """
    jobs = {}
    for hospital_jobs in listed.values():
        for job in hospital_jobs:
            jobs[job["job_id"]] = job
    for case in sent:
        record = case.record
        if record.receipts and record.job is None:
            record.job = jobs.get(record.receipts[0]["job_id"])
        record.silent = not record.receipts and record.refused is None
    records = [case.record for case in sent]
    answers = find_violations(records, listed)
    if not interrupted:
        return answers
    ended_records = [
        case.record
        for case in sent
        if case.answered_s is not None or case.record.refused
    ]
    ended = find_violations(ended_records, {})
    return Violations(
        lost=ended.lost, double=answers.double, stuck=ended.stuck, wrong=ended.wrong
    )


def live_model(operator: Operator) -> str:
    """Name and version of the live model. Raises NoModelLive."""
    for model in operator.get_list("/v1/models"):
        if model["live"]:
            suffix = " (of phantoms)" if model["synthetic"] else ""
            return f"{model['name']}/{model['version']}{suffix}"
    raise NoModelLive


@contextmanager
def hospital_keys(
    operator: Operator, names: Sequence[str], print_line: PrintLine
) -> Iterator[dict[str, str]]:
    """Create a key for each hospital, and missing hospitals; revoke the keys in the end."""
    present = {hospital["name"] for hospital in operator.get_list("/v1/hospitals")}
    for name in sorted(set(names) - present):
        operator.post("/v1/hospitals", json={"name": name})
    keys = []
    body = {"role": "submitter", "label": LABEL, "expires_days": KEY_DAYS}
    try:
        for name in names:
            keys.append(operator.post("/v1/keys", json=body | {"hospital": name}))
        yield {key["hospital"]: key["key"] for key in keys}
    finally:
        _revoke(operator, [key["id"] for key in keys], print_line)


def _revoke(operator: Operator, ids: Sequence[str], print_line: PrintLine) -> None:
    try:
        for key in ids:
            operator.delete(f"/v1/keys/{key}")
    except SeraError as refused:
        print_line(
            f"Not all keys could be revoked; they end by themselves within {KEY_DAYS} days. "
            f"{refused}"
        )


def _stopped_by_ctrl_c() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; after it they end the program as usual."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def request_stop() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, request_stop)
    return stop


@asynccontextmanager
async def _in_background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run a coroutine in the background until the block ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
