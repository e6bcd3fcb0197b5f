"""Shares of hospitals that all have cases waiting, each example in a transaction that is undone."""

from collections import Counter
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.ledger.audit.repository import AuditTrail
from shared.ledger.jobs.queue import JobQueue
from shared.ledger.jobs.repository import FAIRNESS_WINDOW
from tests.support.builders import result

LEASE = timedelta(minutes=5)
ATTEMPTS = 3
WAITING = 60
OPENED = text(
    """
    WITH hospital AS (
        INSERT INTO hospitals (id, name, weight)
        VALUES (gen_random_uuid(), :name, :weight) RETURNING id),
    opened AS (
        INSERT INTO cases (
            id, hospital_id, image_sha256, image_bytes, image_format, width, height, size_mm)
        SELECT gen_random_uuid(), hospital.id, 'a', 1, 'png', 9, 9, 12
        FROM hospital, generate_series(1, :count)
        RETURNING id, hospital_id)
    INSERT INTO jobs (id, case_id, hospital_id)
    SELECT gen_random_uuid(), id, hospital_id FROM opened
    RETURNING hospital_id
    """
)

HURRIED = text(
    "UPDATE jobs SET urgent = true "
    "WHERE id IN (SELECT id FROM jobs WHERE hospital_id = :hospital LIMIT :urgent)"
)
PLACES = text(
    "SELECT id, sera_jobs_ahead(hospital_id, urgent, queued_at, :window) "
    "FROM jobs WHERE state = 'queued'"
)


class Line:
    """A queue with hospitals that flood it, worked off batch by batch."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._queue = JobQueue(session, AuditTrail(session, "w1"))
        self.claims: Counter = Counter()

    def flood(self, weight: float | None, count: int = WAITING) -> object:
        parameters = {
            "name": f"hospital-{len(self.claims)}",
            "weight": weight,
            "count": count,
        }
        hospital = self._session.execute(OPENED, parameters).scalars().first()
        self.claims[hospital] = 0
        return hospital

    def claim_one(self) -> object:
        return self._queue.claim("w1", 1, LEASE, ATTEMPTS).jobs[0].id

    def work_off(self, max_jobs: int) -> None:
        lease = self._queue.claim("w1", max_jobs, LEASE, ATTEMPTS)
        self.claims.update(job.hospital_id for job in lease.jobs)
        self._queue.finish(
            lease.token, "d" * 64, {job.id: result() for job in lease.jobs}
        )


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    weights=st.lists(
        st.sampled_from([None, 0.5, 1.0, 2.0, 4.0]), min_size=2, max_size=4
    ),
    batches=st.lists(st.integers(1, 6), min_size=2, max_size=8),
)
def test_hospitals_with_cases_waiting_are_served_by_their_weights(
    ledger, weights, batches
):
    with Session(ledger.engine) as undone:
        line = Line(undone)
        share = {line.flood(weight): weight or 1.0 for weight in weights}
        for max_jobs in batches:
            line.work_off(max_jobs)
        assert sum(line.claims.values()) == sum(batches)
        turns = [line.claims[hospital] / weight for hospital, weight in share.items()]
        assert max(turns) - min(turns) <= max(1 / weight for weight in share.values())


def test_a_newcomer_goes_ahead_until_it_is_even_with_one_served_all_along(ledger):
    with Session(ledger.engine) as undone:
        line = Line(undone)
        flooding = line.flood(None)
        for _ in range(5):
            line.work_off(4)
        newcomer = line.flood(None, count=30)
        for _ in range(5):
            line.work_off(4)
        assert line.claims == {flooding: 20, newcomer: 20}
        line.work_off(4)
        assert line.claims == {flooding: 22, newcomer: 22}


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    hospitals=st.lists(
        st.tuples(
            st.sampled_from([None, 0.5, 3.0]), st.integers(1, 5), st.integers(0, 2)
        ),
        min_size=2,
        max_size=4,
    ),
    served=st.integers(0, 5),
)
def test_a_place_in_the_queue_is_how_many_claims_come_first(ledger, hospitals, served):
    with Session(ledger.engine) as undone:
        line = Line(undone)
        for weight, count, urgent in hospitals:
            hospital = line.flood(weight, count)
            undone.execute(HURRIED, {"hospital": hospital, "urgent": urgent})
        if served:
            line.work_off(served)
        places = dict(undone.execute(PLACES, {"window": FAIRNESS_WINDOW}).all())
        claimed = [line.claim_one() for _ in places]
        assert sorted(places, key=places.get) == claimed
        assert sorted(places.values()) == list(range(len(places)))
