"""The workers' side of the jobs: claim with a lease, renew, finish, give back, dead letter."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
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
from shared.domain.jobs import JobState, Reason, origins
from shared.domain.messages import Facts, to_json
from shared.domain.results.result import Result
from shared.ledger.audit.repository import AuditTrail, Entry
from shared.ledger.jobs.backlog import FAILED, QUEUED, REASON, RUNNING
from shared.ledger.jobs.repository import NOTIFICATION, REMEMBERED, NotADeadLetter
from shared.ledger.models.promotions import NEWEST, LivePromotion
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
            WHERE created_at > now() - :remembered GROUP BY hospital_id) served ON served.hospital_id = h.id
        CROSS JOIN LATERAL (
            SELECT id, urgent, queued_at FROM jobs
            WHERE hospital_id = h.id AND state = 'queued' AND attempts = 0 AND available_at <= clock_timestamp()
            ORDER BY urgent DESC, queued_at, id LIMIT :most) c
        CROSS JOIN LATERAL (
            SELECT count(*) AS jobs FROM jobs WHERE hospital_id = h.id AND state = 'running') busy
    )
    SELECT j.id FROM jobs j JOIN candidates c ON c.id = j.id
    WHERE j.state = 'queued'
    ORDER BY c.urgent DESC, c.turn, c.queued_at, c.id
    LIMIT :most FOR UPDATE OF j SKIP LOCKED
    """
)
"""Urgent first, then fair between hospitals, then oldest; never waits for a lock.

Fair is by turns: the jobs a hospital has running or lately got results of, and its place in its own line, over its
weight. So one that has just come goes ahead of one that has been served all along, until they are even.
A job that outlived a worker is never among them: it comes alone.
"""

DUE = JobRow.available_at <= NOW
EXPIRED = JobRow.lease_until < NOW
STATUS = select(
    exists().where(RUNNING, EXPIRED).label("expired"),
    exists().where(QUEUED, JobRow.attempts > 0, DUE).label("suspect"),
    exists().where(QUEUED, JobRow.attempts == 0, DUE).label("queued"),
    NEWEST.with_only_columns(PromotionRow.model_digest)
    .scalar_subquery()
    .label("digest"),
    NEWEST.with_only_columns(PromotionRow.id).scalar_subquery().label("number"),
)


@dataclass(frozen=True)
class QueueStatus:
    """What a worker sees before it claims.

    `live` is what is live. `expired`: a lease ran out. `suspect`: a job that outlived a worker waits. `queued`: another
    job waits.
    """

    live: LivePromotion | None
    expired: bool
    suspect: bool
    queued: bool

    @property
    def empty(self) -> bool:
        """Whether there is nothing to claim."""
        return not (self.expired or self.suspect or self.queued)


@dataclass(frozen=True)
class Claimed:
    """A leased job with all that inference needs to know."""

    id: UUID
    case_id: UUID
    hospital_id: UUID
    urgent: bool
    attempts: int
    waited_ms: float
    traceparent: str | None
    image_sha256: str
    size_mm: float
    roi: dict[str, Any] | None
    frame: int | None
    source: str
    device: str | None
    duplicate_of: UUID | None
    prevalence: float | None
    fna_rule: str | None
    target_sensitivity: float | None
    refer_alpha: float | None


@dataclass(frozen=True)
class Lease:
    """A batch of jobs held under one token until the lease runs out; `expired` ones were taken back from others."""

    token: UUID
    jobs: tuple[Claimed, ...]
    expired: int = 0

    def __bool__(self) -> bool:
        return bool(self.jobs)

    @property
    def suspect(self) -> bool:
        """Whether a worker was lost with its job before."""
        return any(job.attempts > 1 for job in self.jobs)


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
    CaseRow.duplicate_of,
    HospitalRow.prevalence,
    HospitalRow.fna_rule,
    HospitalRow.target_sensitivity,
    HospitalRow.refer_alpha,
)
"""What `Claimed` holds, and what the order of a batch goes by."""


@dataclass(frozen=True)
class Failure:
    """Why a job failed: a code, and the facts that its text names."""

    reason: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Seconds since the longest waiting job could have been claimed, and since the last result; None: there is none."""

    oldest_queued_s: float | None
    last_result_s: float | None
    dead_letters: int

    def stalled(self, after_s: float) -> bool:
        """Something could have been claimed all this time, and nothing was answered."""
        quiet = self.last_result_s is None or self.last_result_s > after_s
        return (
            quiet
            and self.oldest_queued_s is not None
            and self.oldest_queued_s > after_s
        )


class Queue:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def status(self) -> QueueStatus:
        """One quick look at what is live and at whether anything is there to be claimed."""
        row = self._session.execute(STATUS).one()
        live = (
            None
            if row.digest is None
            else LivePromotion(digest=row.digest, number=row.number)
        )
        return QueueStatus(
            live=live, expired=row.expired, suspect=row.suspect, queued=row.queued
        )

    def claim(
        self,
        worker: str,
        most: int,
        lease: timedelta,
        max_attempts: int,
        busy: bool = False,
        status: QueueStatus | None = None,
    ) -> Lease:
        """Lease up to `most` waiting jobs.

        A job that outlived a worker comes alone, and not to a worker that is `busy` with others: should it end that
        one too, it takes none along. Nothing at all comes to a busy worker then, so that it is soon free for it.
        `status` is what this transaction has seen already; without it, claim looks itself.
        """
        status = status or self.status()
        expired = self.reclaim(max_attempts) if status.expired else 0
        suspect = self._suspect() if status.suspect or expired else []
        chosen = suspect
        if not suspect and status.queued:
            chosen = self._fair(most)
        token = uuid4()
        if not chosen or (suspect and busy):
            return Lease(token, (), expired)
        return Lease(token, self._take(worker, chosen, token, lease), expired)

    def reclaim(self, max_attempts: int, lost_worker: str | None = None) -> int:
        """Put jobs whose lease ran out, or whose worker is known to be gone, back into the queue.

        Those out of attempts go to the dead letters.
        """
        over = or_(EXPIRED, JobRow.worker == lost_worker)
        late = select(JobRow.id).where(RUNNING, over).with_for_update(skip_locked=True)
        spent = JobRow.attempts >= max_attempts
        moved = self._move(
            JobRow.id.in_(late.scalar_subquery()),
            state=case((spent, JobState.FAILED), else_=JobState.QUEUED),
            reason=case((spent, Reason.WORKER_LOST)),
            facts=case((spent, literal({}, JSONB))),
        )
        self._record(
            moved,
            lambda row: (
                Event.JOB_FAILED if row.state == JobState.FAILED else Event.JOB_RETURNED
            ),
            why="worker-lost",
        )
        return len(moved)

    def renew(self, tokens: Sequence[UUID], lease: timedelta) -> None:
        """Hold batches longer, while their worker lives."""
        leased = JobRow.lease_token.in_(tokens)
        self._session.execute(
            update(JobRow).where(leased, RUNNING).values(lease_until=NOW + lease)
        )

    def finish(
        self, token: UUID, digest: str, results: Mapping[UUID, Result]
    ) -> set[UUID]:
        """Write results of jobs still held under this token; returns those written, for a lost lease writes nothing."""
        if not results:
            return set()
        moved = self._move(
            *_held(token, results), state=JobState.DONE, reason=None, facts=None
        )
        rows = [
            {
                "job_id": row.id,
                "hospital_id": row.hospital_id,
                "model_digest": digest,
                "body": results[row.id].to_json(),
            }
            for row in moved
        ]
        if rows:
            self._session.execute(insert(ResultRow), rows)
        self._record(moved, lambda _: Event.JOB_DONE, model=digest)
        return {row.id for row in moved}

    def fail(self, token: UUID, failures: Mapping[UUID, Failure]) -> None:
        """Send jobs to the dead letters with the reason of each."""
        for job, failure in failures.items():
            why = {"reason": failure.reason, "facts": to_json(failure.facts)}
            moved = self._move(*_held(token, [job]), state=JobState.FAILED, **why)
            self._record(moved, lambda _: Event.JOB_FAILED, reason=failure.reason)

    def give_back(self, token: UUID, jobs: Sequence[UUID], delay: timedelta) -> None:
        """Return jobs unharmed, when an engine was away: the attempt does not count."""
        if not jobs:
            return
        moved = self._move(
            *_held(token, jobs),
            state=JobState.QUEUED,
            attempts=JobRow.attempts - 1,
            available_at=NOW + delay,
        )
        self._record(moved, lambda _: Event.JOB_RETURNED, why="engine-unavailable")

    def rerun(self, job_id: UUID) -> bool:
        """Queue a dead letter again with fresh attempts; False if there is no such job."""
        state = self._session.scalar(
            select(JobRow.state).where(JobRow.id == job_id).with_for_update()
        )
        if state is None:
            return False
        if state != JobState.FAILED:
            raise NotADeadLetter(state=state)
        again = {"state": JobState.QUEUED, "attempts": 0, "reason": None, "facts": None}
        self._record(
            self._move(JobRow.id == job_id, **again), lambda _: Event.JOB_RERUN
        )
        return True

    def rerun_all(self, reason: str, most: int) -> list[UUID]:
        """Queue the oldest dead letters of this reason again, with fresh attempts; returns them."""
        dead = select(JobRow.id).where(FAILED, literal(reason) == REASON)
        chosen = (
            dead.order_by(JobRow.created_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        again = {"state": JobState.QUEUED, "attempts": 0, "reason": None, "facts": None}
        moved = self._move(JobRow.id.in_(chosen.scalar_subquery()), **again)
        self._record(moved, lambda _: Event.JOB_RERUN)
        return [row.id for row in moved]

    def holder(self, job_id: UUID) -> str | None:
        """The worker that has this job in hand; None while it waits, and when it is final."""
        return self._session.scalar(
            select(JobRow.worker).where(JobRow.id == job_id, RUNNING)
        )

    def depth(self) -> dict[str, int]:
        """Jobs by state, final ones left out."""
        query = (
            select(JobRow.state, func.count())
            .where(JobRow.state.in_(["queued", "running"]))
            .group_by(JobRow.state)
        )
        counts: dict[str, int] = {JobState.QUEUED: 0, JobState.RUNNING: 0}
        counts.update((state, jobs) for state, jobs in self._session.execute(query))
        return counts

    def pace(self) -> float | None:
        """Jobs finished per second over the last minute; None if there were none."""
        minute = timedelta(minutes=1)
        query = select(func.count(), func.min(ResultRow.created_at), NOW).where(
            ResultRow.created_at > NOW - minute
        )
        done, first, now = self._session.execute(query).one()
        return done / max((now - first).total_seconds(), 1.0) if done else None

    def waiting(self) -> int:
        """Jobs of all hospitals in the queue."""
        return self._session.scalars(select(func.count()).where(QUEUED)).one()

    def progress(self) -> Progress:
        """Whether work is being completed, by the database's clock."""
        due = select(func.min(JobRow.available_at)).where(QUEUED)
        failed = select(func.count()).where(FAILED)
        last = (
            select(ResultRow.created_at).order_by(ResultRow.created_at.desc()).limit(1)
        )
        query = select(
            due.scalar_subquery(), last.scalar_subquery(), failed.scalar_subquery(), NOW
        )
        due_since, last_result, dead, now = self._session.execute(query).one()
        return Progress(_age_s(due_since, now), _age_s(last_result, now), dead)

    def _fair(self, most: int) -> list[UUID]:
        return list(
            self._session.scalars(CANDIDATES, {"most": most, "remembered": REMEMBERED})
        )

    def _suspect(self) -> list[UUID]:
        query = (
            select(JobRow.id)
            .where(QUEUED, JobRow.attempts > 0, DUE)
            .order_by(JobRow.queued_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return list(self._session.scalars(query))

    def _take(
        self, worker: str, chosen: Sequence[UUID], token: UUID, lease: timedelta
    ) -> tuple[Claimed, ...]:
        """Lease the chosen jobs; urgent ones first, then the oldest."""
        rows = self._update(
            [
                JobRow.id.in_(chosen),
                JobRow.state.in_(origins(JobState.RUNNING)),
                CaseRow.id == JobRow.case_id,
                HospitalRow.id == JobRow.hospital_id,
            ],
            {
                "state": JobState.RUNNING,
                "lease_token": token,
                "lease_until": NOW + lease,
                "worker": worker,
                "attempts": JobRow.attempts + 1,
            },
            CLAIMED_COLUMNS,
        )
        self._record(_moved_jobs(rows), lambda _: Event.JOB_CLAIMED, worker=worker)
        ordered = sorted(rows, key=lambda row: (not row.urgent, row.queued_at, row.id))
        names = [field.name for field in fields(Claimed)]
        return tuple(
            Claimed(**{name: getattr(row, name) for name in names}) for row in ordered
        )

    def _move(
        self, *conditions: ColumnElement[bool], state: Any, **values: Any
    ) -> list[MovedJob]:
        """End the leases of the jobs of these conditions, as far as the table of moves lets them."""
        allowed = (
            [JobRow.state.in_(origins(state))] if isinstance(state, JobState) else []
        )
        ended = {"state": state, "lease_until": None, "lease_token": None}
        return _moved_jobs(
            self._update([*conditions, *allowed], ended | values, MOVED_COLUMNS)
        )

    def _update(
        self,
        conditions: Iterable[ColumnElement[bool]],
        values: Mapping[str, Any],
        columns: Iterable[Any],
    ) -> Sequence[AnyRow]:
        """Change jobs and, at commit, notify listeners of it."""
        statement = update(JobRow).where(*conditions).values(updated_at=NOW, **values)
        return self._session.execute(statement.returning(*columns, NOTIFICATION)).all()

    def _record(
        self,
        moved: Sequence[MovedJob],
        event: Callable[[MovedJob], Event],
        **details: Any,
    ) -> None:
        self._audit.record_all(
            Entry(
                event=event(job),
                hospital_id=job.hospital_id,
                case_id=job.case_id,
                job_id=job.id,
                details={**details, "attempt": job.attempts},
            )
            for job in moved
        )


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


def _held(token: UUID, jobs: Iterable[UUID]) -> tuple[ColumnElement[bool], ...]:
    return (JobRow.id.in_(list(jobs)), JobRow.lease_token == token, RUNNING)


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max((now - moment).total_seconds(), 0.0)
