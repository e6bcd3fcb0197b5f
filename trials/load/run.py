"""The course of a load: hospitals and their keys, cases as they come, then quiet, and judgement."""

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
from trials.load.arrivals import Load, schedule
from trials.load.clients import Clients, Notes, Sent
from trials.load.errors import NoModelLive
from trials.load.images import FORMATS, Album
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
from trials.load.monitoring import Operator, Sample, Watch
from trials.load.verdict import SETTLED_WITHIN_S, Rule, Seen, rules
from trials.slo import Answers, Jobs, judge_answers

LABEL = "load"
KEY_DAYS = 2
"""A key that could not be revoked ends by itself."""
TOLD_EVERY_S = 30.0
LISTED_WITHIN_S = 120.0
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Course:
    """How a load went."""

    load: Load
    url: str
    model: str
    began: datetime
    interrupted: bool
    notes: Notes
    samples: Sequence[Sample]
    restarted: dict[str, float]
    answers: Answers
    cpu_share: float
    """Of one core, that this program itself took."""
    here: bool

    @property
    def sent(self) -> list[Sent]:
        return self.notes.sent

    @property
    def seconds(self) -> float:
        return self.notes.ended_s

    @property
    def done(self) -> int:
        jobs = (each.promise.job for each in self.sent)
        return sum(job["state"] == JobState.DONE for job in jobs if job)

    @property
    def open(self) -> int:
        """Without a final answer, as an interruption leaves them."""
        return sum(
            each.answered_s is None and each.promise.refused is None
            for each in self.sent
        )

    @cached_property
    def submit(self) -> Latency:
        return Latency.of(submit_s(self.sent))

    @cached_property
    def result(self) -> Latency:
        return Latency.of(result_s(self.sent))

    @cached_property
    def lateness(self) -> Latency:
        return Latency.of([each.late_s for each in self.sent])

    @cached_property
    def faults(self) -> dict[str, int]:
        return codes(self.notes.faults)

    @cached_property
    def shares(self) -> list[Share]:
        return by_hospital(self.sent)

    @cached_property
    def fairness(self) -> Fairness | None:
        return fairness(self.shares, self.result)

    @cached_property
    def growth(self) -> list[Growth]:
        return growth(self.samples)

    @cached_property
    def rules(self) -> list[Rule]:
        told = self.faults, self.answers, self.result, self.fairness, self.growth
        return rules(Seen(self.seconds, *told, self.restarted, self.here))

    @property
    def kept(self) -> bool:
        return not any(rule.broken for rule in self.rules)


class Loading:
    """One load of one stack. `home` is the stack's, where it is this machine's own."""

    def __init__(
        self, load: Load, url: str, operator: Operator, home: Path | None, tell: Tell
    ) -> None:
        self._load = load
        self._url = url
        self._operator = operator
        self._home = home
        self._tell = tell

    def run(self) -> Course:
        """Until the last case is answered. Ctrl-C ends it early, with what was measured; a second
        one at once.
        """
        model = live_model(self._operator)
        self._tell(
            f"drawing phantoms, and making keys for {self._load.hospitals} hospitals ..."
        )
        album = Album(FORMATS)
        with hospital_keys(self._operator, self._load.names, self._tell) as keys:
            return asyncio.run(self._through(keys, album, model))

    async def _through(self, keys: dict[str, str], album: Album, model: str) -> Course:
        stop = _stopped_by_ctrl_c()
        async with Clients(self._url, keys, album, stop) as clients:
            await clients.look_back()
            clients.begin()
            began = datetime.now(UTC)
            cpu_s = time.process_time()
            watch = Watch(self._operator, self._home, lambda: clients.now_s)
            async with _beside(watch.run()), _beside(self._say(clients)):
                await self._send(clients)
            notes = clients.notes
            interrupted = stop.is_set()
            cpu_share = (time.process_time() - cpu_s) / max(notes.ended_s, 1e-9)
            answers = judged(notes.sent, await self._listed(clients), interrupted)
        told = (
            notes,
            watch.samples,
            watch.restarted,
            answers,
            cpu_share,
            self._home is not None,
        )
        return Course(self._load, self._url, model, began, interrupted, *told)

    async def _send(self, clients: Clients) -> None:
        load = self._load
        arrivals = schedule(load)
        self._tell(
            f"{len(arrivals)} cases over {load.minutes:g} min (seed {load.seed}); Ctrl-C "
            "reports what there is."
        )
        await clients.send_all(arrivals)
        await clients.settle(SETTLED_WITHIN_S)

    async def _listed(self, clients: Clients) -> Jobs:
        """Of no hospital, if SERA does not answer any more."""
        with suppress(TimeoutError, httpx2.HTTPStatusError):
            return await asyncio.wait_for(clients.listed(), LISTED_WITHIN_S)
        self._tell(
            "SERA does not list the hospitals' jobs; whether any is double is told by their "
            "receipts alone."
        )
        return {}

    async def _say(self, clients: Clients) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            sent = clients.notes.sent
            answered = sum(each.answered_s is not None for each in sent)
            self._tell(
                f"  {clients.now_s:.0f} s: {len(sent)} sent, {answered} answered"
            )


def judged(sent: Sequence[Sent], listed: Jobs, interrupted: bool) -> Answers:
    """After an interruption only of cases whose end was seen; else a case without an answer is one
    that was lost.
    """
    jobs = {job["job_id"]: job for its in listed.values() for job in its}
    for each in sent:
        promise = each.promise
        if promise.receipts and promise.job is None:
            promise.job = jobs.get(promise.receipts[0]["job_id"])
        promise.silent = not promise.receipts and promise.refused is None
    promises = [each.promise for each in sent]
    answers = judge_answers(promises, listed)
    if not interrupted:
        return answers
    ended = [
        each.promise
        for each in sent
        if each.answered_s is not None or each.promise.refused
    ]
    seen = judge_answers(ended, {})
    return Answers(seen.lost, answers.double, seen.stuck, seen.wrong)


def live_model(operator: Operator) -> str:
    """Name and version; raises NoModelLive."""
    for model in operator.get("/v1/models"):
        if model["live"]:
            return f"{model['name']}/{model['version']}" + (
                " (of phantoms)" if model["synthetic"] else ""
            )
    raise NoModelLive


@contextmanager
def hospital_keys(
    operator: Operator, names: Sequence[str], tell: Tell
) -> Iterator[dict[str, str]]:
    """A key for each hospital, which is made if it is not there; the keys are revoked in the end."""
    present = {each["name"] for each in operator.get("/v1/hospitals")}
    for name in sorted(set(names) - present):
        operator.post("/v1/hospitals", json={"name": name})
    made = []
    body = {"role": "submitter", "label": LABEL, "expires_days": KEY_DAYS}
    try:
        for name in names:
            made.append(operator.post("/v1/keys", json=body | {"hospital": name}))
        yield {key["hospital"]: key["key"] for key in made}
    finally:
        _revoke(operator, [key["id"] for key in made], tell)


def _revoke(operator: Operator, ids: Sequence[str], tell: Tell) -> None:
    try:
        for key in ids:
            operator.delete(f"/v1/keys/{key}")
    except SeraError as refused:
        tell(
            f"Not all keys could be revoked; they end by themselves within {KEY_DAYS} days. "
            f"{refused}"
        )


def _stopped_by_ctrl_c() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; after it they end the program as usual."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def asked() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, asked)
    return stop


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Work that goes on until the block ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
