"""Builders of rows."""

from collections.abc import Callable
from uuid import UUID

import pytest

from shared.domain.jobs import Priority
from shared.ledger import Ledger
from tests.support.builders import CASE

Submit = Callable[..., UUID]


@pytest.fixture
def submit(ledger: Ledger) -> Submit:
    """Opens a case and its job for a hospital by name; returns the job's id."""

    def opened(hospital: str = "north", priority: Priority = Priority.ROUTINE) -> UUID:
        with ledger.system_session("test") as house:
            hospital_id = house.hospitals.ensure(hospital)
        with ledger.hospital_session(hospital_id, "test") as book:
            return book.jobs.create(book.cases.add(CASE), priority)

    return opened


@pytest.fixture
def state_of(ledger: Ledger) -> Callable[[UUID], str]:
    def state(job: UUID, hospital: str = "north") -> str:
        with ledger.system_session("test") as house:
            hospital_id = house.hospitals.ensure(hospital)
        with ledger.hospital_session(hospital_id, "test") as book:
            return book.jobs.find(job).state

    return state
