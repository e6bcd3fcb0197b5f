"""Fixtures that create rows."""

from collections.abc import Callable
from uuid import UUID

import pytest

from shared.domain.jobs import Priority
from shared.ledger import Ledger
from tests.support.builders import CASE

Submit = Callable[..., UUID]


@pytest.fixture
def submit(ledger: Ledger) -> Submit:
    """Creates a case with a job for a hospital by name; returns the job's id."""

    def create_job(
        hospital: str = "north", priority: Priority = Priority.ROUTINE
    ) -> UUID:
        with ledger.system_session("test") as system:
            hospital_id = system.hospitals.ensure(hospital)
        with ledger.hospital_session(hospital_id, "test") as session:
            return session.jobs.create(session.cases.add(CASE), priority)

    return create_job


@pytest.fixture
def state_of(ledger: Ledger) -> Callable[[UUID], str]:
    def state(job: UUID, hospital: str = "north") -> str:
        with ledger.system_session("test") as system:
            hospital_id = system.hospitals.ensure(hospital)
        with ledger.hospital_session(hospital_id, "test") as session:
            return session.jobs.find(job).state

    return state
