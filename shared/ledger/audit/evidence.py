"""Holds results against the hash that the audit trail has of each, and of its inputs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, func, or_, select
from sqlalchemy.orm import Session

from shared.domain.audit.chain import Link, chain_name
from shared.domain.audit.events import Event
from shared.domain.audit.evidence import (
    EVIDENCE,
    Evidence,
    StoredResults,
    check_results,
    finished_jobs,
    result_without_event,
)
from shared.domain.audit.verification import Finding
from shared.ledger.table import AnyRow
from shared.ledger.tables import AuditRow, CaseRow, JobRow, ResultRow
from shared.ledger.transaction import LedgerSession

PAGE_JOBS = 1000
EVIDENCE_COLUMNS = (
    cast(ResultRow.id, Text).label("result"),
    cast(ResultRow.job_id, Text).label("job"),
    cast(ResultRow.hospital_id, Text).label("hospital"),
    cast(CaseRow.id, Text).label("case"),
    cast(CaseRow.hospital_id, Text).label("case_hospital"),
    CaseRow.image_sha256.label("image"),
    cast(CaseRow.size_mm, Text).label("size"),
    CaseRow.frame,
    cast(CaseRow.roi, Text).label("roi"),
    CaseRow.external_id,
    CaseRow.device,
    CaseRow.source,
    cast(CaseRow.findings, Text).label("findings"),
    cast(CaseRow.descriptors, Text).label("descriptors"),
    ResultRow.model_digest.label("model"),
    cast(ResultRow.body, Text).label("body"),
)
"""The fields of `Evidence`."""


def event_of_job(event: Event) -> ColumnElement[bool]:
    """Whether an event of this kind is about the job of the query."""
    return (
        select(AuditRow.id)
        .where(
            AuditRow.case_id == JobRow.case_id,
            AuditRow.job_id == JobRow.id,
            AuditRow.event == event,
        )
        .exists()
    )


def is_genuine() -> ColumnElement[bool]:
    """Whether the result of the query's job is the one that the audit trail vouches for.

    Events of before the schema r0003 have no hash; with them any result is.
    """
    recorded = AuditRow.details.op("->>")(EVIDENCE)
    has_none = AuditRow.details.op("->")(EVIDENCE).is_(None)
    return (
        select(AuditRow.id)
        .where(
            AuditRow.case_id == JobRow.case_id,
            AuditRow.job_id == JobRow.id,
            AuditRow.event == Event.JOB_DONE,
            or_(has_none, recorded == func.sera_evidence(JobRow.id)),
        )
        .exists()
    )


class ResultVerifier:
    """Verifies the results of the events that pass through it, in parts of bounded length."""

    def __init__(
        self, open_session: Callable[[], AbstractContextManager[LedgerSession]]
    ) -> None:
        self._open_session = open_session
        self.findings: list[Finding] = []

    def watch(self, links: Iterable[Link]) -> Iterator[Link]:
        """Yield the events unchanged. After the last one `findings` is complete."""
        page: list[Link] = []
        for link in links:
            page += finished_jobs([link])
            if len(page) == PAGE_JOBS:
                self._check(page)
                page = []
            yield link
        self._check(page)
        with self._open_session() as session:
            self.findings += results_without_event(session.sql)

    def _check(self, links: Sequence[Link]) -> None:
        if links:
            with self._open_session() as session:
                self.findings += check_results(
                    links, stored_results(session.sql, links)
                )


def result_findings(session: Session, links: Sequence[Link]) -> list[Finding]:
    """The faults of the results for which these events vouch."""
    finished = finished_jobs(links)
    if not finished:
        return []
    return list(check_results(finished, stored_results(session, finished)))


def stored_results(session: Session, links: Sequence[Link]) -> StoredResults:
    """What the ledger has of the jobs that these events finished."""
    jobs = [UUID(link.job) for link in links if link.job]
    query = (
        select(*EVIDENCE_COLUMNS)
        .join_from(ResultRow, JobRow, JobRow.id == ResultRow.job_id)
        .join(CaseRow, CaseRow.id == JobRow.case_id)
        .where(ResultRow.job_id.in_(jobs))
    )
    results: dict[str, tuple[Evidence, ...]] = {}
    for row in session.execute(query):
        evidence = _evidence(row)
        results[evidence.job] = (*results.get(evidence.job, ()), evidence)
    cases = [UUID(link.case) for link in links if link.case and link.job not in results]
    return StoredResults(
        results=results, erased_cases=frozenset(_erased_cases(session, cases))
    )


def results_without_event(
    session: Session, hospital: UUID | None = None
) -> list[Finding]:
    """The results for which no event vouches, of one hospital or of all."""
    query = (
        select(ResultRow.hospital_id, ResultRow.job_id)
        .join(JobRow, JobRow.id == ResultRow.job_id)
        .where(~event_of_job(Event.JOB_DONE))
        .order_by(ResultRow.hospital_id, ResultRow.job_id)
    )
    if hospital is not None:
        query = query.where(ResultRow.hospital_id == hospital)
    return [
        result_without_event(chain_name(owner), str(job))
        for owner, job in session.execute(query)
    ]


def _erased_cases(session: Session, cases: Sequence[UUID]) -> Iterator[str]:
    if not cases:
        return
    query = select(AuditRow.case_id).where(
        AuditRow.case_id.in_(cases), AuditRow.event == Event.CASE_ERASED
    )
    for case in session.scalars(query):
        yield str(case)


def _evidence(row: AnyRow) -> Evidence:
    return Evidence(**row._mapping)
