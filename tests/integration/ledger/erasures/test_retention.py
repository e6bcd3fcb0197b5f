"""Cases that are older than their hospital keeps them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState
from shared.ledger.cases.repository import CaseErased


def chain(ledger, hospital):
    with ledger.hospital_session(hospital, "test") as session:
        return [(event.event, event.details) for event in session.audit.page()]


def age(ledger, case_id, days):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            f"UPDATE cases SET created_at = clock_timestamp() - interval '{days} days' "
            f"WHERE id = '{case_id}'"
        )


def erase_due(ledger, default=None):
    """Erase as the sweeper does; returns how many cases it erased."""
    with ledger.system_session("retention") as system:
        case_ids = system.retention.oldest_due(default, 20)
    erased = 0
    for case_id in case_ids:
        with ledger.system_session("retention") as system:
            erased += system.retention.erase(case_id, default)
    return erased


def count_due(ledger, hospital, default=None):
    with ledger.system_session("test") as system:
        due_cases = system.retention.count_due(default).get(hospital)
    if due_cases is None:
        return None
    return (due_cases.cases, due_cases.overdue)


def test_a_case_goes_when_its_hospitals_time_is_over_and_not_before(
    ledger, hospital, create_case, finish
):
    old = create_case().case_id
    young = create_case().case_id
    finish()
    finish()
    age(ledger, old, 30.5)
    age(ledger, young, 29.5)
    assert (erase_due(ledger), count_due(ledger, hospital)) == (0, None)
    with ledger.system_session("test") as system:
        system.hospitals.change(hospital, {"retention_days": 30})
        assert [
            system.retention.count_due_with_retention(hospital, days)
            for days in (29, 30, 31)
        ] == [2, 1, 0]
    assert count_due(ledger, hospital) == (1, 0)
    assert (erase_due(ledger), erase_due(ledger)) == (1, 0)
    with ledger.hospital_session(hospital, "test") as session:
        assert session.cases.find(young).external_id == "MRN-99417"
        with pytest.raises(CaseErased, match="retention"):
            session.cases.find(old)
    assert chain(ledger, hospital)[-1][1]["ground"] == "retention"


def test_the_installations_days_hold_where_a_hospital_says_none(
    ledger, hospital, create_case, finish
):
    with ledger.system_session("test") as system:
        south = system.hospitals.ensure("south")
        system.hospitals.change(south, {"retention_days": 365})
    for accepted in (create_case(), create_case(owner=south)):
        finish()
        age(ledger, accepted.case_id, 100)
    assert (count_due(ledger, hospital, 90), count_due(ledger, south, 90)) == (
        (1, 1),
        None,
    )
    assert erase_due(ledger, 90) == 1


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_a_case_that_is_still_to_be_answered_is_never_due(
    ledger, hospital, create_case, state
):
    accepted = create_case()
    age(ledger, accepted.case_id, 1000)
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(f"UPDATE jobs SET state = '{state}'")
    assert (count_due(ledger, hospital, 1), erase_due(ledger, 1)) == (None, 0)


def test_several_at_once_erase_each_case_once(ledger, hospital, create_case):
    cases = [create_case().case_id for _ in range(12)]
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql("UPDATE jobs SET state = 'done'")
    for case_id in cases:
        age(ledger, case_id, 10)

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _: erase_due(ledger, 1), range(3))) == 12
    events = [
        details
        for event, details in chain(ledger, hospital)
        if event == Event.CASE_ERASED
    ]
    assert len(events) == 12
