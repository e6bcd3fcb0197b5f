"""Counts the statements and transactions of the worker's work.

The presence report and the first load of a model are not counted.
"""

import pytest

from services.worker import live_model
from shared.domain.jobs import JobState
from tests.support.statement_counter import count_statements


@pytest.fixture(autouse=True)
def loaded_model(service, promote, monkeypatch):
    """The model is loaded and reported, and need not be reported again for an hour."""
    monkeypatch.setattr(live_model, "PRESENCE_S", 3600.0)
    promote(0)
    service.open()


def test_one_case_that_waits_alone_costs_twelve_statements_in_three_transactions(
    service, send, find, ledger
):
    job = send()
    with count_statements(ledger.engine) as count:
        service.work()
    assert find(job).state is JobState.DONE
    assert (len(count.statements), count.transactions) == (12, 3), str(count)


def test_a_batch_costs_no_more_than_one_case(service, send, find, ledger):
    jobs = [send() for _ in range(4)]
    with count_statements(ledger.engine) as count:
        service.work()
    assert {find(job).state for job in jobs} == {JobState.DONE}
    assert (len(count.statements), count.transactions) == (12, 3), str(count)


def test_a_case_that_comes_after_the_claim_ahead_is_answered_with_its_own_notification(
    service, send, find, monkeypatch
):
    first = send()
    new_jobs = []
    write = service._write

    def send_and_write(batch, answers):
        if not new_jobs:
            new_jobs.append(send())
        return write(batch, answers)

    monkeypatch.setattr(service, "_write", send_and_write)
    service.work()
    assert find(first).state is JobState.DONE
    service.work()
    assert find(new_jobs[0]).state is JobState.DONE


def test_a_needless_notification_costs_two_statements(service, ledger):
    with count_statements(ledger.engine) as count:
        service.work()
    assert (len(count.statements), count.transactions) == (2, 1), str(count)
