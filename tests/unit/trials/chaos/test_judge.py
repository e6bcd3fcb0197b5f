"""Tests that the judge of a trial finds every kind of violation."""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared.domain.audit.chain import Link
from shared.domain.audit.events import Event
from shared.domain.jobs import Reason
from trials.chaos import Verdict, judge
from trials.slo import CaseRecord, Kind, PlannedCase, find_violations

STORY = (Event.CASE_ACCEPTED, Event.JOB_CLAIMED, Event.JOB_RETURNED, Event.JOB_CLAIMED)
LINK = Link(
    chain="north",
    number=1,
    at="",
    actor="worker",
    origin=None,
    event="",
    case=None,
    job=None,
    details="{}",
    previous="",
    hash="",
)


def answered_record(
    number: int = 0, kind: Kind = Kind.GOOD, **job: object
) -> CaseRecord:
    """A case with the right result. `job` are fields of its job."""
    planned = PlannedCase(
        number=number, hospital="north", kind=kind, size_mm=5.0 + number, image=b""
    )
    job_id = str(uuid4())
    fields_of_job = {
        "job_id": job_id,
        "case_id": "c",
        "state": "done",
        "attempts": 2,
        "reason": None,
        "result": {"fna": {"size_mm": 5.0 + number}},
    }
    return CaseRecord(
        planned, receipts=[{"job_id": job_id, "case_id": "c"}], job=fields_of_job | job
    )


def ended(record: CaseRecord) -> tuple[Event, ...]:
    final_events = {"done": (Event.JOB_DONE,), "failed": (Event.JOB_FAILED,)}
    return final_events.get(record.job["state"], ())


def story(record: CaseRecord, *events: Event) -> list[Link]:
    """The audit trail of a record's job; by default the one that fits its state."""
    job_events = events or (*STORY, *ended(record))
    return [
        replace(LINK, number=number, event=event, job=record.job["job_id"])
        for number, event in enumerate(job_events)
    ]


def judged(
    *records: CaseRecord,
    links: list[Link] | None = None,
    listed: list[str] | None = None,
) -> Verdict:
    """The verdict on records. By default the trail and the job list fit the records."""
    if links is None:
        links = []
        for record in records:
            if record.job:
                links += story(record)
    if listed is None:
        listed = []
        for record in records:
            listed += sorted(record.jobs)
    job_list = [{"job_id": job} for job in listed]
    return judge(records, {"north": job_list}, links, broken=())


def broken(verdict: Verdict) -> list[str]:
    return [name for name, sentences in vars(verdict).items() if sentences]


def test_cases_that_were_answered_once_keep_every_promise():
    verdict = judged(*(answered_record(number) for number in range(5)))
    assert verdict.passed
    assert verdict == Verdict()


def test_what_has_to_fail_and_does_breaks_no_promise():
    corrupt = answered_record(
        1, Kind.CORRUPT, state="failed", reason="image-unreadable", result=None
    )
    refused = CaseRecord(
        PlannedCase(2, "north", Kind.CORRUPT, 7.0, b""), refused="image-truncated"
    )
    poison = answered_record(
        3, Kind.POISON, state="failed", reason=Reason.WORKER_LOST, result=None
    )
    poison.killed = 5
    assert judged(answered_record(), corrupt, refused, poison).passed


@pytest.mark.parametrize(
    "record",
    [
        CaseRecord(PlannedCase(1, "north", Kind.GOOD, 6.0, b""), silent=True),
        CaseRecord(PlannedCase(1, "north", Kind.GOOD, 6.0, b""), refused="internal"),
        answered_record(1, state="failed", reason=Reason.WORKER_LOST, result=None),
        answered_record(1, state="cancelled", reason=None, result=None),
    ],
    ids=["never answered", "refused", "failed without a fault of its own", "cancelled"],
)
def test_a_good_case_without_its_answer_is_lost(record):
    verdict = (
        judged(answered_record(), record, links=[])
        if record.job is None
        else judged(answered_record(), record)
    )
    assert len(verdict.lost) == 1
    assert "case 1 of north" in verdict.lost[0]


def test_a_job_that_was_promised_and_is_not_there_is_lost():
    record = answered_record()
    record.job = None
    assert broken(judged(record)) == ["lost"]


def test_two_jobs_for_one_request_are_double():
    record = answered_record()
    record.receipts.append({"job_id": str(uuid4()), "case_id": "c"})
    assert broken(judged(record)) == ["double"]


def test_a_job_that_nobody_asked_for_and_one_listed_twice_are_double():
    record = answered_record()
    (job,) = record.jobs
    assert broken(judged(record, listed=[job, str(uuid4())])) == ["double"]
    assert broken(judged(record, listed=[job, job])) == ["double"]
    assert "does not find" in judged(record, listed=[]).double[0]


def test_a_job_that_was_answered_twice_is_double_and_a_story_no_job_can_have():
    record = answered_record()
    links = story(
        record, Event.CASE_ACCEPTED, Event.JOB_CLAIMED, Event.JOB_DONE, Event.JOB_DONE
    )
    assert broken(judged(record, links=links)) == ["double", "trail"]


def test_a_job_that_is_not_final_is_stuck():
    assert broken(
        judged(answered_record(), answered_record(1, state="running", result=None))
    ) == ["stuck"]


def test_a_result_that_is_not_the_one_that_was_read_before_is_changed():
    record = answered_record()
    for risk in (0.2, 0.2, 0.1):
        record.read(record.job | {"result": {"risk": risk, "fna": {"size_mm": 5.0}}})
    verdict = judged(record)
    assert broken(verdict) == ["changed"]
    assert "0.2, 0.1" in verdict.changed[0]


def test_a_result_that_is_refused_for_a_while_and_then_as_it_was_is_not_changed():
    record = answered_record()
    answer = record.job | {"result": {"risk": 0.2, "fna": {"size_mm": 5.0}}}
    for job in (answer, answer | {"state": "failed", "result": None}, None, answer):
        record.read(job)
    assert judged(record).passed


def test_a_result_that_could_be_rewritten_is_passed_on():
    verdict = judge([], {}, [], broken=(), rewritten=["job 1 could be rewritten"])
    assert broken(verdict) == ["changed"]


def test_another_cases_answer_is_wrong():
    assert broken(judged(answered_record(1, result={"fna": {"size_mm": 5.0}}))) == [
        "wrong"
    ]


def test_the_answer_to_another_case_of_the_same_size_is_wrong():
    assert broken(judged(answered_record(1, case_id="d"))) == ["wrong"]


def test_two_cases_for_one_request_are_double_even_as_one_job():
    record = answered_record()
    record.receipts.append(record.receipts[0] | {"case_id": "d"})
    assert broken(judged(record)) == ["double"]


def test_a_list_that_was_not_looked_through_tells_nothing():
    assert find_violations([answered_record()], {}).passed


def test_an_answer_to_an_image_that_breaks_off_is_wrong():
    assert broken(judged(answered_record(1, Kind.CORRUPT))) == ["wrong"]


@pytest.mark.parametrize(
    "events",
    [
        (Event.CASE_ACCEPTED, Event.JOB_CLAIMED),
        (Event.CASE_ACCEPTED, Event.JOB_DONE),
        (Event.JOB_CLAIMED, Event.JOB_DONE),
        (Event.CASE_ACCEPTED, Event.JOB_CLAIMED, Event.JOB_CLAIMED, Event.JOB_DONE),
    ],
    ids=[
        "ends early",
        "done without being claimed",
        "never accepted",
        "claimed while in hand",
    ],
)
def test_a_trail_that_tells_another_story_than_the_job_is_not_intact(events):
    record = answered_record()
    verdict = judged(record, links=story(record, *events))
    assert broken(verdict) == ["trail"]
    assert not verdict.audit_ok


def test_a_chain_that_is_not_whole_is_passed_on():
    record = answered_record()
    verdict = judge(
        [record],
        {"north": [{"job_id": record.job["job_id"]}]},
        story(record),
        ["event 3: removed."],
    )
    assert verdict.trail == ("event 3: removed.",)
    assert not verdict.passed
