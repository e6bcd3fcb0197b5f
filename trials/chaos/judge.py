"""Was every promise kept? Judged from what the hospitals noted, what the service shows them, and
the audit trail.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.audit.chain import Link
from shared.domain.audit.events import Event
from shared.domain.jobs import TRANSITIONS, JobState
from trials.slo import Answers, Jobs, Promise, judge_answers, named

LEADS_TO = {
    Event.CASE_ACCEPTED: JobState.QUEUED,
    Event.JOB_CLAIMED: JobState.RUNNING,
    Event.JOB_RETURNED: JobState.QUEUED,
    Event.JOB_DONE: JobState.DONE,
    Event.JOB_FAILED: JobState.FAILED,
}


@dataclass(frozen=True)
class Verdict(Answers):
    trail: tuple[str, ...] = ()
    """The audit trail is not whole, or tells another story than the jobs."""

    @property
    def audit_ok(self) -> bool:
        return not self.trail

    @property
    def kept(self) -> bool:
        return super().kept and self.audit_ok


def judge(
    promises: Sequence[Promise],
    listed: Jobs,
    links: Iterable[Link],
    broken: Sequence[str],
) -> Verdict:
    """`links` are the whole audit trail's; `broken` what is wrong with its chains."""
    stories = _stories(links)
    told = dict(vars(judge_answers(promises, listed)))
    told["double"] = (*told["double"], *_answered_twice(stories))
    return Verdict(**told, trail=(*broken, *_untold(promises, stories)))


def _answered_twice(stories: Mapping[str, Sequence[Event]]) -> Iterable[str]:
    for job, story in stories.items():
        if (times := story.count(Event.JOB_DONE)) > 1:
            yield f"job {job} was answered {times} times"


def _untold(
    promises: Sequence[Promise], stories: Mapping[str, Sequence[Event]]
) -> Iterable[str]:
    """Jobs whose story in the trail is not one that a job can have, or does not end where the job
    is.
    """
    for promise in promises:
        if promise.job is None:
            continue
        story = stories.get(promise.job["job_id"], ())
        state = None
        for event in story:
            after = LEADS_TO[event]
            if after not in (TRANSITIONS[state] if state else {JobState.QUEUED}):
                yield f"{named(promise)}: the trail goes from {state or 'nothing'} to {after}"
            state = after
        if state != promise.job["state"]:
            yield (
                f"{named(promise)} is {promise.job['state']}, and the trail ends at "
                f"{state or 'nothing'}"
            )


def _stories(links: Iterable[Link]) -> dict[str, list[Event]]:
    """What happened to each job, in order."""
    stories: dict[str, list[Event]] = defaultdict(list)
    for link in links:
        if link.job and link.event in LEADS_TO:
            stories[link.job].append(Event(link.event))
    return stories
