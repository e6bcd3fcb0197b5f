"""Rewrites results in the database, and holds what becomes of it against what is promised."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, InternalError, ProgrammingError

from shared.domain.audit.verification import Fault, Finding
from shared.domain.jobs import JobState, Reason

SERVICE_ROLE = "sera_house"
"""The role in which the services' login works on all hospitals."""
REFUSALS = (IntegrityError, InternalError, ProgrammingError)
"""How a missing right, a trigger and its exceptions are reported."""
REWRITTEN_RISK = 0.987654
REWRITE_RESULT = (
    f"UPDATE results SET body = jsonb_set(body, '{{risk}}', '{REWRITTEN_RISK}') "
    "WHERE job_id = :job"
)
REWRITES = {
    "the result": REWRITE_RESULT,
    "the size of the case": (
        "UPDATE cases SET size_mm = size_mm + 1 "
        "WHERE id = (SELECT case_id FROM jobs WHERE id = :job)"
    ),
    "the state": "UPDATE jobs SET state = 'queued' WHERE id = :job",
}
READ_RESULT = "SELECT CAST(body AS text) FROM results WHERE job_id = :job"
WRITE_RESULT = "UPDATE results SET body = CAST(:body AS jsonb) WHERE job_id = :job"


def rewrite_as_service(service_url: str, job: UUID) -> Iterator[str]:
    """Try to rewrite an answered job as the services' login; yield a sentence on each success."""
    engine = sa.create_engine(service_url, poolclass=sa.NullPool)
    for name, statement in REWRITES.items():
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL ROLE {SERVICE_ROLE}")
                connection.execute(sa.text(statement), {"job": job})
        except REFUSALS:
            continue
        yield f"{name} of job {job} could be rewritten as the services' login"


@contextmanager
def rewritten_as_owner(owner_url: str, job: UUID) -> Iterator[None]:
    """The owner of the tables turns their triggers off and rewrites a risk.

    Afterwards the result is as it was.
    """
    engine = sa.create_engine(owner_url, poolclass=sa.NullPool)
    with _without_triggers(engine) as connection:
        body = connection.scalar(sa.text(READ_RESULT), {"job": job})
        connection.execute(sa.text(REWRITE_RESULT), {"job": job})
    try:
        yield
    finally:
        with _without_triggers(engine) as connection:
            connection.execute(sa.text(WRITE_RESULT), {"job": job, "body": body})


def unnoticed(
    job: UUID, shown_job: Mapping[str, Any] | None, findings: Iterable[Finding]
) -> Iterator[str]:
    """Sentences on a rewritten result that is shown, or that verification does not name alone."""
    if shown_job is None or (
        (shown_job["state"], shown_job["reason"])
        != (JobState.FAILED, Reason.RESULT_CHANGED)
    ):
        yield f"the rewritten result of job {job} was not refused where it is shown"
    named_jobs = [
        finding.facts["job"]
        for finding in findings
        if finding.fault is Fault.RESULT_CHANGED
    ]
    if named_jobs != [str(job)]:
        yield f"verification named {named_jobs or 'nothing'} when job {job} was rewritten"


@contextmanager
def _without_triggers(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        yield connection
