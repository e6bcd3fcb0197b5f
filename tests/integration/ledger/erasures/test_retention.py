"""Cases that are older than their hospital keeps them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState
from shared.ledger.cases.repository import CaseErased


def chain(ledger, hospital):
    with ledger.hospital_session(hospital, "test") as book:
        return [(each.event, each.details) for each in book.audit.page()]


def age(ledger, case_id, days):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            f"UPDATE cases SET created_at = clock_timestamp() - interval '{days} days' WHERE id = '{case_id}'"
        )


def erase_due(ledger, default=None):
    """As the sweeper does it; how many it erased."""
    with ledger.system_session("retention") as house:
        due = house.retention.oldest_due(default, 20)
    erased = 0
    for case_id in due:
        with ledger.system_session("retention") as house:
            erased += house.retention.erase(case_id, default)
    return erased


def due(ledger, hospital, default=None):
    with ledger.system_session("test") as house:
        found = house.retention.due(default).get(hospital)
        return found and (found.cases, found.overdue)


def test_a_case_goes_when_its_hospitals_time_is_over_and_not_before(
    ledger, hospital, opened, finish
):
    old = opened().case_id
    young = opened().case_id
    finish()
    finish()
    age(ledger, old, 30.5)
    age(ledger, young, 29.5)
    assert (erase_due(ledger), due(ledger, hospital)) == (0, None)
    with ledger.system_session("test") as house:
        house.hospitals.change(hospital, {"retention_days": 30})
        assert [
            house.retention.count_due_with_retention(hospital, days) for days in (29, 30, 31)
        ] == [2, 1, 0]
    assert due(ledger, hospital) == (1, 0)
    assert (erase_due(ledger), erase_due(ledger)) == (1, 0)
    with ledger.hospital_session(hospital, "test") as book:
        assert book.cases.find(young).external_id == "MRN-99417"
        with pytest.raises(CaseErased, match="retention"):
            book.cases.find(old)
    assert chain(ledger, hospital)[-1][1]["ground"] == "retention"


def test_the_installations_days_hold_where_a_hospital_says_none(
    ledger, hospital, opened, finish
):
    with ledger.system_session("test") as house:
        south = house.hospitals.ensure("south")
        house.hospitals.change(south, {"retention_days": 365})
    for each in (opened(), opened(of=south)):
        finish()
        age(ledger, each.case_id, 100)
    assert (due(ledger, hospital, 90), due(ledger, south, 90)) == ((1, 1), None)
    assert erase_due(ledger, 90) == 1


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_a_case_that_is_still_to_be_answered_is_never_due(
    ledger, hospital, opened, state
):
    accepted = opened()
    age(ledger, accepted.case_id, 1000)
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(f"UPDATE jobs SET state = '{state}'")
    assert (due(ledger, hospital, 1), erase_due(ledger, 1)) == (None, 0)


def test_several_at_once_erase_each_case_once(ledger, hospital, opened):
    cases = [opened().case_id for _ in range(12)]
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql("UPDATE jobs SET state = 'done'")
    for case_id in cases:
        age(ledger, case_id, 10)

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _: erase_due(ledger, 1), range(3))) == 12
    told = [
        details
        for event, details in chain(ledger, hospital)
        if event == Event.CASE_ERASED
    ]
    assert len(told) == 12
