"""How many statements and transactions the worker's trips cost. The presence report and the first load are apart."""

import pytest

from services.worker import live_model
from shared.domain.jobs import JobState
from tests.support.statement_counter import count_statements


@pytest.fixture(autouse=True)
def reported(desk, promote, monkeypatch):
    """A worker whose model is loaded and that has said so; it need not say it again for an hour."""
    monkeypatch.setattr(live_model, "PRESENCE_S", 3600.0)
    promote(0)
    desk.open()


def test_one_case_that_waits_alone_costs_twelve_statements_in_three_transactions(
    desk, send, find, ledger
):
    job = send()
    with count_statements(ledger.engine) as count:
        desk.work()
    assert find(job).state is JobState.DONE
    assert (len(count.statements), count.transactions) == (12, 3), str(count)


def test_a_batch_costs_no_more_than_one_case(desk, send, find, ledger):
    jobs = [send() for _ in range(4)]
    with count_statements(ledger.engine) as count:
        desk.work()
    assert {find(job).state for job in jobs} == {JobState.DONE}
    assert (len(count.statements), count.transactions) == (12, 3), str(count)


def test_a_case_that_comes_after_the_look_ahead_is_answered_with_its_own_ring(
    desk, send, find, monkeypatch
):
    first = send()
    late = []
    write = desk._write

    def write_late(batch, answers):
        if not late:
            late.append(send())
        return write(batch, answers)

    monkeypatch.setattr(desk, "_write", write_late)
    desk.work()
    assert find(first).state is JobState.DONE
    desk.work()
    assert find(late[0]).state is JobState.DONE


def test_a_ring_for_nothing_costs_two_statements(desk, ledger):
    with count_statements(ledger.engine) as count:
        desk.work()
    assert (len(count.statements), count.transactions) == (2, 1), str(count)
