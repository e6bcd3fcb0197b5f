"""The job queue for workers: claim with a lease, renew, finish, fail, return."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Double,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState, Reason, source_states
from shared.domain.messages import to_json
from shared.domain.results.result import Result
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.jobs.backlog import (
    CLOCK_TOLERANCE,
    FAILED,
    IS_DUE,
    IS_EXPIRED,
    QUEUED,
    RUNNING,
)
from shared.ledger.jobs.lease import ClaimedJob, Failure, Lease
from shared.ledger.jobs.repository import FAIRNESS_WINDOW, NOTIFICATION
from shared.ledger.models.promotions import LATEST_PROMOTION, LivePromotion
from shared.ledger.tables import (
    AnyRow,
    CaseRow,
    HospitalRow,
    JobRow,
    PromotionRow,
    ResultRow,
)

NOW = func.clock_timestamp()
WAITED_MS = cast(func.extract("epoch", NOW - JobRow.created_at) * 1000, Double)

CANDIDATES = text(
    """
    WITH candidates AS (
        SELECT c.id, c.urgent, c.queued_at,
               (busy.jobs + coalesce(served.jobs, 0)
                + row_number() OVER (PARTITION BY h.id, c.urgent ORDER BY c.queued_at, c.id))
               / coalesce(h.weight, 1) AS turn
        FROM hospitals h
        LEFT JOIN (
            SELECT hospital_id, count(*) AS jobs FROM results
            WHERE created_at > now() - :window
            GROUP BY hospital_id) served ON served.hospital_id = h.id
        CROSS JOIN LATERAL (
            SELECT id, urgent, queued_at FROM jobs
            WHERE hospital_id = h.id AND state = 'queued' AND attempts = 0
                AND (available_at <= clock_timestamp()
                     OR updated_at > clock_timestamp() + :tolerance)
            ORDER BY urgent DESC, queued_at, id LIMIT :max_jobs) c
        CROSS JOIN LATERAL (
            SELECT count(*) AS jobs FROM jobs
            WHERE hospital_id = h.id AND state = 'running') busy
    )
    SELECT j.id FROM jobs j JOIN candidates c ON c.id = j.id
    WHERE j.state = 'queued'
    ORDER BY c.urgent DESC, c.turn, c.queued_at, c.id
    LIMIT :max_jobs FOR UPDATE OF j SKIP LOCKED
    """
)
"""Urgent jobs first, then by fairness between hospitals, then oldest first. Never waits for a lock.

Jobs of equal urgency are ordered by a score, the lowest first. The score of a job is the number of
running jobs and recent results of its hospital, plus the position of the job among the waiting jobs
of the hospital, divided by the weight of the hospital. Therefore a hospital that has just begun to
send cases goes ahead of a hospital that was served before, until both have been served equally.
A job whose worker was lost is never a candidate, because such a job is claimed alone.
"""

LIVE_DIGEST = LATEST_PROMOTION.with_only_columns(PromotionRow.model_digest)
LIVE_NUMBER = LATEST_PROMOTION.with_only_columns(PromotionRow.id)
STATUS = select(
    exists().where(RUNNING, IS_EXPIRED).label("expired"),
    exists().where(QUEUED, JobRow.attempts > 0, IS_DUE).label("suspect"),
    exists().where(QUEUED, JobRow.attempts == 0, IS_DUE).label("queued"),
    LIVE_DIGEST.scalar_subquery().label("digest"),
    LIVE_NUMBER.scalar_subquery().label("number"),
)


@dataclass(frozen=True)
class QueueStatus:
    """The state of the queue before a worker claims.

    `live` is the live model. `expired` is true if a lease ran out. `suspect` is true if a job whose
    worker was lost is waiting. `queued` is true if any other job is waiting.
    """

    live: LivePromotion | None
    expired: bool
    suspect: bool
    queued: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to claim."""
        return not (self.expired or self.suspect or self.queued)


@dataclass(frozen=True)
class MovedJob:
    """A job whose state was changed; `state` and `attempts` are the new ones."""

    id: UUID
    case_id: UUID
    hospital_id: UUID
    state: str
    attempts: int


MOVED_COLUMNS = (
    JobRow.id,
    JobRow.case_id,
    JobRow.hospital_id,
    JobRow.state,
    JobRow.attempts,
)
CLAIMED_COLUMNS = (
    *MOVED_COLUMNS,
    JobRow.urgent,
    JobRow.queued_at,
    WAITED_MS.label("waited_ms"),
    JobRow.traceparent,
    CaseRow.image_sha256,
    CaseRow.size_mm,
    CaseRow.roi,
    CaseRow.frame,
    CaseRow.source,
    CaseRow.device,
    CaseRow.findings,
    CaseRow.duplicate_of,
    HospitalRow.prevalence,
    HospitalRow.fna_rule,
    HospitalRow.target_sensitivity,
    HospitalRow.refer_alpha,
    HospitalRow.blank_text,
)
"""The fields of `ClaimedJob`, and the columns that order a batch."""


@dataclass(frozen=True)
class QueueProgress:
    """The times in seconds that show whether the queue makes progress.

    `oldest_queued_s` counts from the moment when the longest waiting job could first be claimed,
    `last_result_s` from the last result. It is None if there is no such job or result.
    """

    oldest_queued_s: float | None
    last_result_s: float | None
    dead_letters: int

    def is_stalled(self, after_s: float) -> bool:
        """Whether a job was claimable for `after_s` seconds, and no result came in that time."""
        is_quiet = self.last_result_s is None or self.last_result_s > after_s
        is_waiting = self.oldest_queued_s is not None and self.oldest_queued_s > after_s
        return is_quiet and is_waiting


class JobQueue:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def status(self) -> QueueStatus:
        """Read in one fast query whether there is anything to claim, and which model is live."""
        row = self._session.execute(STATUS).one()
        live = None
        if row.digest is not None:
            live = LivePromotion(digest=row.digest, number=row.number)
        return QueueStatus(
            live=live, expired=row.expired, suspect=row.suspect, queued=row.queued
        )

    def claim(
        self,
        worker: str,
        max_jobs: int,
        lease: timedelta,
        max_attempts: int,
        busy: bool = False,
        status: QueueStatus | None = None,
    ) -> Lease:
        """Lease up to `max_jobs` waiting jobs.

        A job whose worker was lost is suspect. It is leased alone, and only to a worker without
        other jobs: if the job ends this worker too, no other job is lost. While a suspect job
        waits, a `busy` worker gets no jobs, so that it is soon free to claim the suspect job.
        `status` is the status that this transaction has already read. If it is None, this method
        reads it.
        """
        status = status or self.status()
        expired = self.reclaim(max_attempts) if status.expired else 0
        suspect_ids = self._suspect_ids() if status.suspect or expired else []
        job_ids = suspect_ids
        if not suspect_ids and status.queued:
            job_ids = self._fair_ids(max_jobs)
        token = uuid4()
        if not job_ids or (suspect_ids and busy):
            return Lease(token=token, jobs=(), expired=expired)
        jobs = self._lease_jobs(
            worker=worker, job_ids=job_ids, token=token, lease=lease
        )
        return Lease(token=token, jobs=jobs, expired=expired)

    def reclaim(self, max_attempts: int, lost_worker: str | None = None) -> int:
        """Queue jobs again whose lease ran out, or whose worker is known to have ended.

        Jobs that are out of attempts become dead letters. Returns the number of jobs.
        """
        is_abandoned = or_(IS_EXPIRED, JobRow.worker == lost_worker)
        abandoned = (
            select(JobRow.id)
            .where(RUNNING, is_abandoned)
            .with_for_update(skip_locked=True)
        )
        is_spent = JobRow.attempts >= max_attempts
        moved = self._move(
            JobRow.id.in_(abandoned.scalar_subquery()),
            state=case((is_spent, JobState.FAILED), else_=JobState.QUEUED),
            reason=case((is_spent, Reason.WORKER_LOST)),
            facts=case((is_spent, literal({}, JSONB))),
            available_at=func.least(JobRow.available_at, NOW),
        )
        self._record(moved, _reclaim_event, why="worker-lost")
        return len(moved)

    def renew(self, tokens: Sequence[UUID], lease: timedelta) -> None:
        """Extend leases while their worker lives."""
        is_leased = JobRow.lease_token.in_(tokens)
        self._session.execute(
            update(JobRow).where(is_leased, RUNNING).values(lease_until=NOW + lease)
        )

    def finish(
        self, token: UUID, digest: str, results: Mapping[UUID, Result]
    ) -> set[UUID]:
        """Write the results of jobs that are still leased under this token.

        Returns the ids of the jobs whose results were written. A lost lease writes nothing.
        """
        if not results:
            return set()
        moved = self._move(
            *_is_leased(token, results), state=JobState.DONE, reason=None, facts=None
        )
        rows = [
            {
                "job_id": job.id,
                "hospital_id": job.hospital_id,
                "model_digest": digest,
                "body": results[job.id].to_json(),
            }
            for job in moved
        ]
        if rows:
            self._session.execute(insert(ResultRow), rows)
        self._record(moved, lambda _: Event.JOB_DONE, model=digest)
        return {job.id for job in moved}

    def fail(self, token: UUID, failures: Mapping[UUID, Failure]) -> None:
        """Turn jobs into dead letters, each with its reason."""
        for job_id, failure in failures.items():
            moved = self._move(
                *_is_leased(token, [job_id]),
                state=JobState.FAILED,
                reason=failure.reason,
                facts=to_json(failure.facts),
            )
            self._record(moved, lambda _: Event.JOB_FAILED, reason=failure.reason)

    def give_back(self, token: UUID, jobs: Sequence[UUID], delay: timedelta) -> None:
        """Return jobs to the queue after a failure of the database, broker or object store.

        The attempt does not count.
        """
        if not jobs:
            return
        moved = self._move(
            *_is_leased(token, jobs),
            state=JobState.QUEUED,
            attempts=JobRow.attempts - 1,
            available_at=NOW + delay,
        )
        self._record(moved, lambda _: Event.JOB_RETURNED, why="engine-unavailable")

    def holder(self, job_id: UUID) -> str | None:
        """Return the worker that has claimed this job; None if no worker holds it."""
        return self._session.scalar(
            select(JobRow.worker).where(JobRow.id == job_id, RUNNING)
        )

    def depth(self) -> dict[str, int]:
        """Count the queued and running jobs, by state."""
        query = (
            select(JobRow.state, func.count())
            .where(JobRow.state.in_(["queued", "running"]))
            .group_by(JobRow.state)
        )
        counts: dict[str, int] = {JobState.QUEUED: 0, JobState.RUNNING: 0}
        counts.update((state, jobs) for state, jobs in self._session.execute(query))
        return counts

    def jobs_per_second(self) -> float | None:
        """Return the rate of finished jobs over the last minute; None if there were none."""
        minute = timedelta(minutes=1)
        query = select(func.count(), func.min(ResultRow.created_at), NOW).where(
            ResultRow.created_at > NOW - minute
        )
        results, first, now = self._session.execute(query).one()
        if not results:
            return None
        elapsed_s: float = max((now - first).total_seconds(), 1.0)
        jobs_per_second: float = results / elapsed_s
        return jobs_per_second

    def count_waiting(self) -> int:
        """Count the queued jobs of all hospitals."""
        return self._session.scalars(select(func.count()).where(QUEUED)).one()

    def progress(self) -> QueueProgress:
        """Measure, by the database's clock, whether jobs are being completed."""
        oldest_due = select(func.min(JobRow.available_at)).where(QUEUED)
        dead_letters = select(func.count()).where(FAILED)
        last_result = (
            select(ResultRow.created_at).order_by(ResultRow.created_at.desc()).limit(1)
        )
        query = select(
            oldest_due.scalar_subquery().label("oldest_due_at"),
            last_result.scalar_subquery().label("last_result_at"),
            dead_letters.scalar_subquery().label("dead_letters"),
            NOW.label("now"),
        )
        row = self._session.execute(query).one()
        return QueueProgress(
            oldest_queued_s=_age_s(row.oldest_due_at, row.now),
            last_result_s=_age_s(row.last_result_at, row.now),
            dead_letters=row.dead_letters,
        )

    def _fair_ids(self, max_jobs: int) -> list[UUID]:
        parameters = {
            "max_jobs": max_jobs,
            "window": FAIRNESS_WINDOW,
            "tolerance": CLOCK_TOLERANCE,
        }
        return list(self._session.scalars(CANDIDATES, parameters))

    def _suspect_ids(self) -> list[UUID]:
        query = (
            select(JobRow.id)
            .where(QUEUED, JobRow.attempts > 0, IS_DUE)
            .order_by(JobRow.queued_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return list(self._session.scalars(query))

    def _lease_jobs(
        self, worker: str, job_ids: Sequence[UUID], token: UUID, lease: timedelta
    ) -> tuple[ClaimedJob, ...]:
        """Lease these jobs; returns urgent ones first, then the oldest."""
        rows = self._update(
            conditions=[
                JobRow.id.in_(job_ids),
                JobRow.state.in_(source_states(JobState.RUNNING)),
                CaseRow.id == JobRow.case_id,
                HospitalRow.id == JobRow.hospital_id,
            ],
            values={
                "state": JobState.RUNNING,
                "lease_token": token,
                "lease_until": NOW + lease,
                "worker": worker,
                "attempts": JobRow.attempts + 1,
            },
            columns=CLAIMED_COLUMNS,
        )
        self._record(_moved_jobs(rows), lambda _: Event.JOB_CLAIMED, worker=worker)
        ordered = sorted(rows, key=lambda row: (not row.urgent, row.queued_at, row.id))
        return tuple(_claimed_job(row) for row in ordered)

    def _move(
        self,
        *conditions: ColumnElement[bool],
        state: JobState | ColumnElement[JobState],
        **values: object,
    ) -> list[MovedJob]:
        """End the leases of the jobs that match the conditions, and change their state.

        Jobs from whose state `MOVES` does not allow the change stay as they are.
        """
        allowed: list[ColumnElement[bool]] = []
        if isinstance(state, JobState):
            allowed.append(JobRow.state.in_(source_states(state)))
        changes = {"state": state, "lease_until": None, "lease_token": None, **values}
        rows = self._update(
            conditions=[*conditions, *allowed], values=changes, columns=MOVED_COLUMNS
        )
        return _moved_jobs(rows)

    def _update(
        self,
        conditions: Iterable[ColumnElement[bool]],
        values: Mapping[str, Any],
        columns: Iterable[Any],
    ) -> Sequence[AnyRow]:
        """Change jobs and, at commit, notify listeners."""
        statement = update(JobRow).where(*conditions).values(updated_at=NOW, **values)
        return self._session.execute(statement.returning(*columns, NOTIFICATION)).all()

    def _record(
        self,
        moved: Sequence[MovedJob],
        event: Callable[[MovedJob], Event],
        **details: object,
    ) -> None:
        self._audit.record_all(
            AuditEntry(
                event=event(job),
                hospital_id=job.hospital_id,
                case_id=job.case_id,
                job_id=job.id,
                details={**details, "attempt": job.attempts},
            )
            for job in moved
        )


def _reclaim_event(job: MovedJob) -> Event:
    if job.state == JobState.FAILED:
        return Event.JOB_FAILED
    return Event.JOB_RETURNED


def _moved_jobs(rows: Iterable[AnyRow]) -> list[MovedJob]:
    return [
        MovedJob(
            id=row.id,
            case_id=row.case_id,
            hospital_id=row.hospital_id,
            state=row.state,
            attempts=row.attempts,
        )
        for row in rows
    ]


def _claimed_job(row: AnyRow) -> ClaimedJob:
    values = {column.name: getattr(row, column.name) for column in fields(ClaimedJob)}
    return ClaimedJob(**values)


def _is_leased(token: UUID, jobs: Iterable[UUID]) -> tuple[ColumnElement[bool], ...]:
    return (JobRow.id.in_(list(jobs)), JobRow.lease_token == token, RUNNING)


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    if moment is None:
        return None
    return max((now - moment).total_seconds(), 0.0)
