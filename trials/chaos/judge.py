"""Judges a trial from the hospitals' records, the service's job lists and the audit trail."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.audit.chain import Link
from shared.domain.audit.events import Event
from shared.domain.jobs import TRANSITIONS, JobState
from trials.slo import CaseRecord, Jobs, Violations, describe, find_violations

STATE_AFTER_EVENT = {
    Event.CASE_ACCEPTED: JobState.QUEUED,
    Event.JOB_CLAIMED: JobState.RUNNING,
    Event.JOB_RETURNED: JobState.QUEUED,
    Event.JOB_DONE: JobState.DONE,
    Event.JOB_FAILED: JobState.FAILED,
}


@dataclass(frozen=True)
class Verdict(Violations):
    trail: tuple[str, ...] = ()
    """The audit trail is damaged, or contradicts the jobs."""

    @property
    def audit_ok(self) -> bool:
        return not self.trail

    @property
    def passed(self) -> bool:
        return super().passed and self.audit_ok


def judge(
    records: Sequence[CaseRecord],
    listed: Jobs,
    links: Iterable[Link],
    broken: Sequence[str],
    rewritten: Sequence[str] = (),
) -> Verdict:
    """Judge a trial.

    `links` is the whole audit trail; `broken` are the findings on its chains; `rewritten` are
    sentences on results that were rewritten, and were not refused or named.
    """
    events_by_job = _events_by_job(links)
    violations = find_violations(records, listed)
    return Verdict(
        lost=violations.lost,
        double=(*violations.double, *_answered_twice(events_by_job)),
        stuck=violations.stuck,
        changed=(*violations.changed, *rewritten),
        wrong=violations.wrong,
        trail=(*broken, *_contradicted_by_trail(records, events_by_job)),
    )


def _answered_twice(events_by_job: Mapping[str, Sequence[Event]]) -> Iterable[str]:
    for job, events in events_by_job.items():
        times = events.count(Event.JOB_DONE)
        if times > 1:
            yield f"job {job} was answered {times} times"


def _contradicted_by_trail(
    records: Sequence[CaseRecord], events_by_job: Mapping[str, Sequence[Event]]
) -> Iterable[str]:
    """Jobs whose events in the trail are impossible, or do not end in the state of the job."""
    for record in records:
        if record.job is None:
            continue
        events = events_by_job.get(record.job["job_id"], ())
        state = None
        for event in events:
            next_state = STATE_AFTER_EVENT[event]
            if next_state not in (TRANSITIONS[state] if state else {JobState.QUEUED}):
                yield (
                    f"{describe(record)}: the trail goes from {state or 'nothing'} to "
                    f"{next_state}"
                )
            state = next_state
        if state != record.job["state"]:
            yield (
                f"{describe(record)} is {record.job['state']}, and the trail ends at "
                f"{state or 'nothing'}"
            )


def _events_by_job(links: Iterable[Link]) -> dict[str, list[Event]]:
    """The events of each job, in order."""
    events_by_job: dict[str, list[Event]] = defaultdict(list)
    for link in links:
        if link.job and link.event in STATE_AFTER_EVENT:
            events_by_job[link.job].append(Event(link.event))
    return events_by_job
