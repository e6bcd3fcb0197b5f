"""Was every promise kept? Judged from what the hospitals noted, what the service shows them, and the audit trail."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.chaos.cases import Kind, Promise
from shared.domain.chain import Link
from shared.domain.events import Event
from shared.domain.jobs import FINAL, MOVES, JobState, Reason

Jobs = Mapping[str, Sequence[Mapping[str, Any]]]
"""Of each hospital, the jobs that it finds in its list."""
LEADS_TO = {
    Event.CASE_ACCEPTED: JobState.QUEUED,
    Event.JOB_CLAIMED: JobState.RUNNING,
    Event.JOB_RETURNED: JobState.QUEUED,
    Event.JOB_DONE: JobState.DONE,
    Event.JOB_FAILED: JobState.FAILED,
}


@dataclass(frozen=True)
class Verdict:
    """Sentences by kind of broken promise; all empty is what is wanted."""

    lost: tuple[str, ...] = ()
    """Never answered, not there any more, or failed though nothing was wrong with it."""
    double: tuple[str, ...] = ()
    """Two jobs for one request, two answers for one job, or a job that nobody asked for."""
    stuck: tuple[str, ...] = ()
    """Promised and never final."""
    wrong: tuple[str, ...] = ()
    """Another case's answer, or an answer to what has none."""
    trail: tuple[str, ...] = ()
    """The audit trail is not whole, or tells another story than the jobs."""

    @property
    def audit_ok(self) -> bool:
        return not self.trail

    @property
    def kept(self) -> bool:
        return not (self.lost or self.double or self.stuck or self.wrong or self.trail)


def judge(promises: Sequence[Promise], listed: Jobs, links: Iterable[Link], broken: Sequence[str]) -> Verdict:
    """`links` are the whole audit trail's; `broken` what is wrong with its chains."""
    stories = _stories(links)
    return Verdict(
        lost=tuple(_lost(promises)),
        double=(*_double(promises), *_unasked(promises, listed), *_answered_twice(stories)),
        stuck=tuple(_stuck(promises)),
        wrong=tuple(_wrong(promises)),
        trail=(*broken, *_untold(promises, stories)),
    )


def _lost(promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        name, job = _name(promise), promise.job
        if not promise.receipts:
            if promise.silent:
                yield f"{name} was never answered"
            elif promise.planned.kind is not Kind.SPOILT:
                yield f"{name} was refused: {promise.refused}"
        elif job is None:
            yield f"{name} was promised, and its job is not there"
        elif job["state"] == JobState.CANCELLED or (job["state"] == JobState.FAILED and _sound(promise)):
            yield f"{name} is {job['state']}: {job['reason']}"


def _double(promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        if len(promise.jobs) > 1:
            yield f"{_name(promise)} has the jobs {', '.join(sorted(promise.jobs))}"


def _unasked(promises: Sequence[Promise], listed: Jobs) -> Iterable[str]:
    """Jobs of a hospital that none of its receipts names; a silent promise may have left one."""
    promised = defaultdict(set)
    for promise in promises:
        promised[promise.planned.hospital] |= promise.jobs
    for hospital, jobs in listed.items():
        count = Counter(job["job_id"] for job in jobs)
        yield from (f"{hospital} has job {job}, which no receipt names" for job in count.keys() - promised[hospital])
        yield from (f"{hospital} lists job {job} {times} times" for job, times in count.items() if times > 1)
    for hospital, jobs in promised.items():
        unlisted = jobs - {job["job_id"] for job in listed.get(hospital, ())}
        yield from (f"{hospital} does not find job {job} in its list" for job in unlisted)


def _answered_twice(stories: Mapping[str, Sequence[Event]]) -> Iterable[str]:
    for job, story in stories.items():
        if (times := story.count(Event.JOB_DONE)) > 1:
            yield f"job {job} was answered {times} times"


def _stuck(promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        if promise.job and promise.job["state"] not in FINAL:
            yield f"{_name(promise)} is still {promise.job['state']} after {promise.job['attempts']} attempts"


def _wrong(promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        planned, job = promise.planned, promise.job
        if not job or job["state"] != JobState.DONE:
            continue
        if planned.kind is Kind.SPOILT:
            yield f"{_name(promise)} breaks off, and was answered all the same"
        elif abs(job["result"]["fna"]["size_mm"] - planned.size_mm) > 1e-6:
            yield f"{_name(promise)} of {planned.size_mm} mm got the answer for {job['result']['fna']['size_mm']} mm"


def _untold(promises: Sequence[Promise], stories: Mapping[str, Sequence[Event]]) -> Iterable[str]:
    """Jobs whose story in the trail is not one that a job can have, or does not end where the job is."""
    for promise in promises:
        if promise.job is None:
            continue
        story, state = stories.get(promise.job["job_id"], ()), None
        for event in story:
            after = LEADS_TO[event]
            if after not in (MOVES[state] if state else {JobState.QUEUED}):
                yield f"{_name(promise)}: the trail goes from {state or 'nothing'} to {after}"
            state = after
        if state != promise.job["state"]:
            yield f"{_name(promise)} is {promise.job['state']}, and the trail ends at {state or 'nothing'}"


def _stories(links: Iterable[Link]) -> dict[str, list[Event]]:
    """What happened to each job, in order."""
    stories: dict[str, list[Event]] = defaultdict(list)
    for link in links:
        if link.job and link.event in LEADS_TO:
            stories[link.job].append(Event(link.event))
    return stories


def _sound(promise: Promise) -> bool:
    """Whether nothing excuses that it failed."""
    if promise.planned.kind is Kind.SPOILT:
        return False
    return not (promise.killed and promise.job["reason"] == Reason.WORKER_LOST)


def _name(promise: Promise) -> str:
    planned = promise.planned
    return f"{planned.kind} case {planned.number} of {planned.hospital}"
