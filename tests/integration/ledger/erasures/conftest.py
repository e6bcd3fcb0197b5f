"""Cases of one hospital, answered and erased."""

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import text

from shared.domain.erasure import ErasureReason
from shared.domain.jobs import Priority
from shared.domain.results.prediction import Verdict
from shared.ledger.idempotency.receipts import StoredResponse
from shared.ledger.monitoring.observations import Observation
from tests.support import builders
from tests.support.builders import CASE

DIGEST = "d" * 64
PNG = "b" * 64
HEAT = "c" * 64
FULL_CASE = replace(
    CASE,
    size_mm=17.4321,
    roi={"box": [401, 402, 403, 404]},
    external_id="MRN-99417",
    device="Brand Scanner-5",
)


class Accepted(NamedTuple):
    case_id: UUID
    job_id: UUID


@pytest.fixture
def hospital(ledger):
    with ledger.system_session("test") as system:
        return system.hospitals.ensure("north")


@pytest.fixture
def create_case(ledger, hospital):
    """A case with its job, and a receipt for its key where one is given."""

    def make(case=FULL_CASE, key=None, owner=None):
        with ledger.hospital_session(owner or hospital, "test") as session:
            case_id = session.cases.add(case)
            accepted = Accepted(case_id, session.jobs.create(case_id, Priority.ROUTINE))
            if key:
                assert session.receipts.reserve(key, "f" * 64)
                session.receipts.store(key, StoredResponse(202, {}, b"{}", case_id))
            return accepted

    return make


@pytest.fixture
def finish(ledger):
    """Reads the oldest job and writes all that can come of it."""

    def done():
        with ledger.system_session("worker") as system:
            lease = system.queue.claim("w", 1, timedelta(minutes=1), 5)
            job = lease.jobs[0]
            written = system.queue.finish(lease.token, DIGEST, {job.id: result()})
            system.observations.record([observation(job)] if written else [])

    return done


@pytest.fixture
def erase(ledger, hospital):
    def erase_case(case_id, ground=ErasureReason.PATIENT_REQUEST, owner=None):
        with ledger.hospital_session(owner or hospital, "key:abc") as session:
            return session.erasures.erase(case_id, ground)

    return erase_case


def result():
    return builders.result(
        risk=0.7177, score=0.7177, decision=Verdict.BENIGN, prevalence=0.2
    )


def observation(job):
    scores = {
        "score": 0.7177,
        "risk": 0.7177,
        "decision": "benign",
        "cutoff": 0.5,
        "strangeness": None,
    }
    return Observation(
        job_id=job.id,
        case_id=job.case_id,
        hospital_id=job.hospital_id,
        model_digest=DIGEST,
        device=job.device,
        **scores,
        embedding=(0.7177,),
        benign_p=None,
        malignant_p=None,
        warnings=(),
    )


def waits_for_a_lock(ledger):
    """Whether some transaction does, once it has begun."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with ledger.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        return any(connection.scalar(query) for _ in range(5000))
