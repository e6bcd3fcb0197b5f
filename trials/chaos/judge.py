"""Was every record kept? Judged from what the hospitals noted, what the service shows them, and
the audit trail.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.audit.chain import Link
from shared.domain.audit.events import Event
from shared.domain.jobs import TRANSITIONS, JobState
from trials.slo import Violations, Jobs, CaseRecord, find_violations, describe

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
    """The audit trail is not whole, or tells another story than the jobs."""

    @property
    def audit_ok(self) -> bool:
        return not self.trail

    @property
    def kept(self) -> bool:
        return super().kept and self.audit_ok


def judge(
    records: Sequence[CaseRecord],
    listed: Jobs,
    links: Iterable[Link],
    broken: Sequence[str],
) -> Verdict:
    """`links` are the whole audit trail's; `broken` what is wrong with its chains."""
    stories = _stories(links)
    violations = dict(vars(find_violations(records, listed)))
    violations["double"] = (*violations["double"], *_answered_twice(stories))
    return Verdict(**violations, trail=(*broken, *_untold(records, stories)))


def _answered_twice(stories: Mapping[str, Sequence[Event]]) -> Iterable[str]:
    for job, story in stories.items():
        if (times := story.count(Event.JOB_DONE)) > 1:
            yield f"job {job} was answered {times} times"


def _untold(
    records: Sequence[CaseRecord], stories: Mapping[str, Sequence[Event]]
) -> Iterable[str]:
    """Jobs whose story in the trail is not one that a job can have, or does not end where the job
    is.
    """
    for record in records:
        if record.job is None:
            continue
        story = stories.get(record.job["job_id"], ())
        state = None
        for event in story:
            next_state = STATE_AFTER_EVENT[event]
            if next_state not in (TRANSITIONS[state] if state else {JobState.QUEUED}):
                yield f"{describe(record)}: the trail goes from {state or 'nothing'} to {next_state}"
            state = next_state
        if state != record.job["state"]:
            yield (
                f"{describe(record)} is {record.job['state']}, and the trail ends at "
                f"{state or 'nothing'}"
            )


def _stories(links: Iterable[Link]) -> dict[str, list[Event]]:
    """What happened to each job, in order."""
    stories: dict[str, list[Event]] = defaultdict(list)
    for link in links:
        if link.job and link.event in STATE_AFTER_EVENT:
            stories[link.job].append(Event(link.event))
    return stories
