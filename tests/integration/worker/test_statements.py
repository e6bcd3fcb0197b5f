"""How many statements and transactions the worker's trips cost. The presence report and the first load are apart."""

import pytest

from services.worker import live
from shared.domain.jobs import JobState
from tests.statements import count_statements


@pytest.fixture(autouse=True)
def reported(desk, promote, monkeypatch):
    """A worker whose model is loaded and that has said so; it need not say it again for an hour."""
    monkeypatch.setattr(live, "PRESENCE_S", 3600.0)
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


def test_a_ring_for_nothing_costs_two_statements(desk, ledger):
    with count_statements(ledger.engine) as count:
        desk.work()
    assert (len(count.statements), count.transactions) == (2, 1), str(count)
