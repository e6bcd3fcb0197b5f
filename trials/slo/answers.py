"""Were the hospitals answered as they should be? Judged from what they noted, and what the service
shows them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.jobs import FINAL_STATES, JobState, Reason
from trials.slo.case import Kind, Promise

Jobs = Mapping[str, Sequence[Mapping[str, Any]]]
"""Of each hospital whose list was looked through, the jobs in it."""


@dataclass(frozen=True)
class Answers:
    """Sentences by kind of broken promise; all empty is what is wanted."""

    lost: tuple[str, ...] = ()
    """Never answered, not there any more, or failed though nothing was wrong with it."""
    double: tuple[str, ...] = ()
    """Two jobs for one request, two answers for one job, or a job that nobody asked for."""
    stuck: tuple[str, ...] = ()
    """Promised and never final."""
    wrong: tuple[str, ...] = ()
    """Another case's answer, or an answer to what has none."""

    @property
    def kept(self) -> bool:
        return not (self.lost or self.double or self.stuck or self.wrong)


def judge_answers(promises: Sequence[Promise], listed: Jobs) -> Answers:
    return Answers(
        lost=tuple(_lost(promises)),
        double=(*_double(promises), *_unasked(promises, listed)),
        stuck=tuple(_stuck(promises)),
        wrong=tuple(_wrong(promises)),
    )


def _lost(promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        name = named(promise)
        job = promise.job
        if not promise.receipts:
            if promise.silent:
                yield f"{name} was never answered"
            elif promise.planned.kind is not Kind.SPOILT:
                yield f"{name} was refused: {promise.refused}"
        elif job is None:
            yield f"{name} was promised, and its job is not there"
        elif job["state"] == JobState.CANCELLED or (
            job["state"] == JobState.FAILED and _sound(promise)
        ):
            yield f"{name} is {job['state']}: {job['reason']}"


def _double(promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        if len(promise.jobs) > 1:
            yield f"{named(promise)} has the jobs {', '.join(sorted(promise.jobs))}"
        elif len(promise.cases) > 1:
            yield f"{named(promise)} is the cases {', '.join(sorted(promise.cases))}"


def _unasked(promises: Sequence[Promise], listed: Jobs) -> Iterable[str]:
    """Jobs of a hospital that none of its receipts names; a silent promise may have left one."""
    promised: defaultdict[str, set[str]] = defaultdict(set)
    for promise in promises:
        promised[promise.planned.hospital] |= promise.jobs
    for hospital, jobs in listed.items():
        count = Counter(job["job_id"] for job in jobs)
        yield from (
            f"{hospital} has job {job}, which no receipt names"
            for job in count.keys() - promised[hospital]
        )
        yield from (
            f"{hospital} lists job {job} {times} times"
            for job, times in count.items()
            if times > 1
        )
        unlisted = promised[hospital] - count.keys()
        yield from (
            f"{hospital} does not find job {job} in its list" for job in unlisted
        )


def _stuck(promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        if promise.job and promise.job["state"] not in FINAL_STATES:
            yield (
                f"{named(promise)} is still {promise.job['state']} after "
                f"{promise.job['attempts']} attempts"
            )


def _wrong(promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        planned = promise.planned
        job = promise.job
        if not job or job["state"] != JobState.DONE:
            continue
        if planned.kind is Kind.SPOILT:
            yield f"{named(promise)} breaks off, and was answered all the same"
        elif job["case_id"] not in promise.cases:
            yield f"{named(promise)} got the answer to the case {job['case_id']}"
        elif abs(job["result"]["fna"]["size_mm"] - planned.size_mm) > 1e-6:
            yield (
                f"{named(promise)} of {planned.size_mm} mm got the answer for "
                f"{job['result']['fna']['size_mm']} mm"
            )


def _sound(promise: Promise) -> bool:
    """Whether nothing excuses that it failed."""
    if promise.planned.kind is Kind.SPOILT:
        return False
    reason = promise.job["reason"] if promise.job else None
    return not (promise.killed and reason == Reason.WORKER_LOST)


def named(promise: Promise) -> str:
    planned = promise.planned
    return f"{planned.kind} case {planned.number} of {planned.hospital}"
