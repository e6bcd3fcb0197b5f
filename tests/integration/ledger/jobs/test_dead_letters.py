from collections.abc import Callable
from uuid import UUID

import pytest

from shared.domain.erasure import ErasureReason
from shared.domain.jobs import JobState, Reason
from shared.ledger import Ledger
from shared.ledger.cases.repository import CaseErased
from shared.ledger.jobs.dead_letters import NotADeadLetter


@pytest.fixture
def dead_letter(ledger: Ledger, submit: Callable[..., UUID]) -> Callable[..., UUID]:
    """Creates a failed job of a hospital; returns its id."""

    def create_dead_letter(
        hospital: str = "north", reason: str | None = Reason.WORKER_LOST
    ) -> UUID:
        job = submit(hospital)
        with ledger.engine.begin() as owner:
            owner.exec_driver_sql(
                "UPDATE jobs SET state = 'failed', reason = %(reason)s, attempts = 3 "
                "WHERE id = %(job)s",
                {"reason": reason, "job": str(job)},
            )
        return job

    return create_dead_letter


def hospital_id(ledger, name):
    with ledger.system_session("test") as system:
        return system.hospitals.ensure(name)


def test_a_hospital_reruns_its_own_dead_letters_only(ledger, dead_letter, state_of):
    north_job = dead_letter("north")
    south_job = dead_letter("south")
    with ledger.hospital_session(hospital_id(ledger, "south"), "test") as session:
        assert session.dead_letters.rerun(north_job) is False
        assert session.dead_letters.rerun_all(Reason.WORKER_LOST, 10) == [south_job]
    assert state_of(north_job) is JobState.FAILED
    assert state_of(south_job, "south") is JobState.QUEUED


def test_an_operator_reruns_the_oldest_dead_letters_of_every_hospital(
    ledger, dead_letter
):
    jobs = [dead_letter(name) for name in ("north", "south", "west")]
    dead_letter("north", reason="image-blank")
    with ledger.system_session("operator") as system:
        assert system.dead_letters.rerun_all(Reason.WORKER_LOST, 2) == jobs[:2]
        assert system.dead_letters.rerun_all(Reason.WORKER_LOST, 2) == jobs[2:]


def test_a_failed_job_without_a_reason_counts_as_an_internal_error(ledger, dead_letter):
    job = dead_letter("north", reason=None)
    with ledger.hospital_session(hospital_id(ledger, "north"), "test") as session:
        assert session.dead_letters.rerun_all(Reason.INTERNAL, 10) == [job]


def test_a_rerun_has_fresh_attempts_and_no_reason(ledger, dead_letter):
    job = dead_letter("north")
    with ledger.hospital_session(hospital_id(ledger, "north"), "test") as session:
        assert session.dead_letters.rerun(job) is True
        rerun = session.jobs.find(job)
        assert (rerun.attempts, rerun.reason, rerun.facts) == (0, None, None)


def test_a_hospital_is_told_that_the_case_of_a_dead_letter_was_erased(
    ledger, dead_letter
):
    job = dead_letter("north")
    north = hospital_id(ledger, "north")
    with ledger.hospital_session(north, "test") as session:
        case_id = session.jobs.find(job).case_id
        session.erasures.erase(case_id, ErasureReason.PATIENT_REQUEST)
    with (
        pytest.raises(CaseErased),
        ledger.hospital_session(north, "test") as session,
    ):
        session.dead_letters.rerun(job)
    with (
        pytest.raises(NotADeadLetter),
        ledger.system_session("operator") as system,
    ):
        system.dead_letters.rerun(job)
