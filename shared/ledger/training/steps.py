"""The steps of runs, for trainers: claim a ready step, report progress, finish, fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Double,
    Row,
    case,
    cast,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.messages import Message
from shared.domain.training.states import RunState, StepKind, StepState
from shared.errors import Conflict
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.jobs.repository import notify_listeners
from shared.ledger.tables import RunEventRow, RunStepRow, TrainingRunRow

NOW = func.clock_timestamp()
TRAINER_LOST = "trainer-lost"
STEP_DONE = "step-done"

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A time that lies further in the future than any delay and any renewal is of a clock that was set
back since."""
FROM_READY_STEPS = f"""
    FROM run_steps s JOIN training_runs r ON r.id = s.run_id
    WHERE r.state IN ('queued', 'running') AND s.state = 'waiting'
      AND (s.available_at <= clock_timestamp() OR s.available_at
           > clock_timestamp() + interval '{CLOCK_TOLERANCE.total_seconds()} s')
      AND NOT EXISTS (
        SELECT 1 FROM run_steps before
        WHERE before.run_id = s.run_id AND before.state <> 'done'
          AND s.after @> to_jsonb(before.name))
"""
NEXT_STEP = text(
    f"""
    SELECT s.run_id, s.name {FROM_READY_STEPS}
    ORDER BY r.created_at, s.place LIMIT 1 FOR UPDATE OF s SKIP LOCKED
    """
)
COUNT_READY_OF_RUN = text(f"SELECT count(*) {FROM_READY_STEPS} AND s.run_id = :run")
COUNT_OPEN = text(
    f"""
    SELECT (SELECT count(*) {FROM_READY_STEPS})
        + (SELECT count(*) FROM run_steps WHERE state = 'running')
    """
)


class RunNotEnded(Conflict):
    code = "run-not-ended"
    text = (
        "The model's run is at work, so its gate is yet to come. Follow it: ./sera runs watch "
        "RUN."
    )


@dataclass(frozen=True)
class NewStep:
    """A step to add. `subject` describes its inputs, `weight` is its expected duration in seconds.

    It can be claimed when the steps that `prerequisites` names are done.
    """

    name: str
    kind: StepKind
    subject: Mapping[str, Any] = field(default_factory=dict)
    prerequisites: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class ClaimedStep:
    """A leased step."""

    token: UUID
    run_id: UUID
    name: str
    kind: StepKind
    subject: dict[str, Any]
    attempts: int


class Steps:
    """Every transaction locks steps before their run, so that no two wait for each other."""

    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def claim(
        self, owner: str, lease: timedelta, max_attempts: int
    ) -> ClaimedStep | None:
        """Lease the first ready step of the oldest run. Never waits for a lock."""
        self.reclaim(max_attempts)
        step = self._session.execute(NEXT_STEP).first()
        if step is None:
            return None
        token = uuid4()
        statement = (
            update(RunStepRow)
            .where(*_is_step(step.run_id, step.name))
            .values(
                state=StepState.RUNNING,
                owner=owner,
                lease_token=token,
                lease_until=NOW + lease,
                attempts=RunStepRow.attempts + 1,
                started_at=NOW,
                ended_at=None,
                fraction=0.0,
            )
            .returning(RunStepRow.kind, RunStepRow.subject, RunStepRow.attempts)
        )
        row = self._session.execute(statement).one()
        self._start_run(step.run_id)
        return ClaimedStep(
            token=token,
            run_id=step.run_id,
            name=step.name,
            kind=StepKind(row.kind),
            subject=row.subject,
            attempts=row.attempts,
        )

    def count_open(self) -> int:
        """Count the running and the ready steps, which is the number of trainers that can work."""
        steps: int = self._session.scalars(COUNT_OPEN).one()
        return steps

    def owners(self) -> list[str]:
        """The trainers that hold steps now."""
        query = (
            select(RunStepRow.owner)
            .where(RunStepRow.state == StepState.RUNNING)
            .distinct()
        )
        return list(self._session.scalars(query))

    def reclaim(self, max_attempts: int, lost_owners: Sequence[str] = ()) -> None:
        """Return steps to the queue whose lease ran out, or whose trainer is known to have ended.

        If a step is out of attempts, its run fails.
        """
        latest_start = NOW + CLOCK_TOLERANCE
        is_ahead = (RunStepRow.started_at > latest_start) & (
            RunStepRow.lease_until > latest_start
        )
        is_expired = RunStepRow.lease_until < NOW
        is_abandoned = is_expired | is_ahead | RunStepRow.owner.in_(lost_owners)
        query = (
            select(RunStepRow.run_id, RunStepRow.name, RunStepRow.attempts)
            .where(RunStepRow.state == StepState.RUNNING, is_abandoned)
            .order_by(RunStepRow.run_id)
            .with_for_update(skip_locked=True)
        )
        for run_id, name, attempts in self._session.execute(query).all():
            is_spent = attempts >= max_attempts
            state = StepState.FAILED if is_spent else StepState.WAITING
            self._release(*_is_step(run_id, name), state=state)
            if is_spent:
                self._fail_run(run_id, Message(TRAINER_LOST, {"step": name}))

    def renew(self, tokens: Sequence[UUID], lease: timedelta) -> None:
        """Extend leases while their trainer lives."""
        statement = (
            update(RunStepRow)
            .where(
                RunStepRow.lease_token.in_(tokens),
                RunStepRow.state == StepState.RUNNING,
            )
            .values(lease_until=NOW + lease)
        )
        self._session.execute(statement)

    def report_progress(
        self,
        token: UUID,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float] | None = None,
    ) -> bool:
        """Store the progress of a step. With `metrics`, also add an event to the run.

        Returns False if another trainer has the step by now.
        """
        statement = (
            update(RunStepRow)
            .where(
                RunStepRow.lease_token == token, RunStepRow.state == StepState.RUNNING
            )
            .values(
                fraction=min(max(fraction, 0.0), 1.0),
                message=message.to_json(),
            )
            .returning(RunStepRow.run_id, RunStepRow.name)
        )
        row = self._session.execute(statement).first()
        if row is None:
            return False
        if metrics:
            self._add_event(
                run_id=row.run_id,
                step=row.name,
                stage=stage,
                fraction=fraction,
                message=message,
                metrics=metrics,
            )
        self._update_run_progress(run_id=row.run_id, stage=stage, message=message)
        return True

    def finish(
        self,
        token: UUID,
        outcome: Mapping[str, Any],
        new_steps: Sequence[NewStep] = (),
        message: Message | None = None,
    ) -> int | None:
        """Mark a step as done, and add its follow-up steps.

        Returns how many steps of the run are ready now; None if the step is no longer this
        trainer's.
        """
        row = self._release(
            RunStepRow.lease_token == token,
            state=StepState.DONE,
            fraction=1.0,
            ended_at=NOW,
            outcome=dict(outcome),
            message=message.to_json() if message else None,
        )
        if row is None:
            return None
        run_id = row.run_id
        # If two steps end at the same time, the later transaction sees that the other step has
        # ended, and so detects that its own step is the last one.
        self._lock_run(run_id)
        self._add(run_id, new_steps)
        event_message = message or Message(STEP_DONE, {"step": row.name})
        self._add_event(
            run_id=run_id,
            step=row.name,
            stage=row.kind,
            fraction=1.0,
            message=event_message,
            metrics=_numbers(outcome),
        )
        self._update_run_progress(run_id=run_id, stage=row.kind, message=event_message)
        if not self._count_unfinished(run_id):
            self._end_run(run_id, RunState.DONE, stage="done", message=None)
        ready: int = self._session.scalars(COUNT_READY_OF_RUN, {"run": run_id}).one()
        return ready

    def fail(self, token: UUID, reason: Message) -> None:
        """Mark a step as failed, and with it its run."""
        row = self._release(
            RunStepRow.lease_token == token,
            state=StepState.FAILED,
            ended_at=NOW,
            reason=reason.code,
        )
        if row:
            self._fail_run(row.run_id, reason)

    def give_back(self, token: UUID, delay: timedelta) -> None:
        """Return a step unchanged: the attempt does not count."""
        self._release(
            RunStepRow.lease_token == token,
            state=StepState.WAITING,
            attempts=RunStepRow.attempts - 1,
            available_at=NOW + delay,
        )

    def outcomes(self, run_id: UUID, kind: StepKind) -> list[dict[str, Any]]:
        """The outcomes of the finished steps of a kind, in the order of the steps."""
        query = (
            select(RunStepRow.outcome)
            .where(
                RunStepRow.run_id == run_id,
                RunStepRow.kind == kind,
                RunStepRow.state == StepState.DONE,
            )
            .order_by(RunStepRow.place)
        )
        return list(self._session.scalars(query))

    def add_gate_step(self, run_id: UUID) -> None:
        """Add another gate step to a run that succeeded; raises RunNotEnded."""
        if self._lock_run(run_id) != RunState.DONE:
            raise RunNotEnded
        query = select(func.count()).where(
            RunStepRow.run_id == run_id, RunStepRow.kind == StepKind.GATE
        )
        number = self._session.scalars(query).one() + 1
        step = NewStep(name=f"{StepKind.GATE}/{number}", kind=StepKind.GATE)
        self._add(run_id, [step])
        statement = (
            update(TrainingRunRow)
            .where(TrainingRunRow.id == run_id)
            .values(state=RunState.QUEUED, ended_at=None, stage=StepKind.GATE)
        )
        self._session.execute(statement)
        notify_listeners(self._session, [run_id])

    def seconds_per_image(self, recipe: str) -> dict[tuple[str, str], float]:
        """Seconds for each image in the latest finished run of a recipe.

        The keys are the kind of step and the feature set, which is empty if the step has none.
        """
        latest_run = (
            select(TrainingRunRow.id)
            .where(
                TrainingRunRow.recipe == recipe, TrainingRunRow.state == RunState.DONE
            )
            .order_by(TrainingRunRow.ended_at.desc())
            .limit(1)
        )
        duration_s = func.extract("epoch", RunStepRow.ended_at - RunStepRow.started_at)
        images = cast(RunStepRow.subject["images"].astext, Double)
        feature_set = RunStepRow.subject["feature_set"].astext
        query = (
            select(
                RunStepRow.kind,
                func.coalesce(feature_set, ""),
                func.sum(duration_s) / func.sum(images),
            )
            .where(RunStepRow.run_id == latest_run.scalar_subquery(), images > 0)
            .group_by(RunStepRow.kind, feature_set)
        )
        return {
            (kind, feature_set_name): float(seconds)
            for kind, feature_set_name, seconds in self._session.execute(query)
        }

    def _start_run(self, run_id: UUID) -> None:
        statement = (
            update(TrainingRunRow)
            .where(TrainingRunRow.id == run_id, TrainingRunRow.state == RunState.QUEUED)
            .values(
                state=RunState.RUNNING,
                started_at=func.coalesce(TrainingRunRow.started_at, NOW),
            )
            .returning(TrainingRunRow.id)
        )
        if self._session.scalar(statement):
            self._audit.record(Event.RUN_STARTED, run=str(run_id))
        notify_listeners(self._session, [run_id])

    def _lock_run(self, run_id: UUID) -> str | None:
        """Lock the run until the transaction ends; returns its state."""
        query = select(TrainingRunRow.state).where(TrainingRunRow.id == run_id)
        return self._session.scalar(query.with_for_update())

    def _release(
        self, *conditions: ColumnElement[bool], **values: object
    ) -> Row[UUID, str, str] | None:
        """End the lease of a running step, and change it; None if there is no such step."""
        statement = (
            update(RunStepRow)
            .where(*conditions, RunStepRow.state == StepState.RUNNING)
            .values(**values, lease_token=None, lease_until=None, owner=None)
            .returning(RunStepRow.run_id, RunStepRow.name, RunStepRow.kind)
        )
        return self._session.execute(statement).first()

    def _add(self, run_id: UUID, steps: Sequence[NewStep]) -> None:
        query = select(func.max(RunStepRow.place)).where(RunStepRow.run_id == run_id)
        first_place = self._session.scalars(query).one() + 1
        rows = [
            {
                "run_id": run_id,
                "place": place,
                "name": step.name,
                "kind": step.kind,
                "subject": step.subject,
                "after": list(step.prerequisites),
                "weight": step.weight,
            }
            for place, step in enumerate(steps, first_place)
        ]
        if rows:
            self._session.execute(insert(RunStepRow), rows)

    def _count_unfinished(self, run_id: UUID) -> int:
        query = (
            select(func.count())
            .select_from(RunStepRow)
            .where(RunStepRow.run_id == run_id, RunStepRow.state != StepState.DONE)
        )
        return self._session.scalars(query).one()

    def _add_event(
        self,
        run_id: UUID,
        step: str,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float],
    ) -> None:
        statement = insert(RunEventRow).values(
            run_id=run_id,
            step=step,
            stage=stage,
            fraction=fraction,
            message=message.to_json(),
            metrics=dict(metrics),
        )
        self._session.execute(statement)

    def _update_run_progress(self, run_id: UUID, stage: str, message: Message) -> None:
        """The run's fraction is the mean of its steps' fractions, weighted by their weights."""
        total_weight = func.sum(RunStepRow.weight)
        done_weight = func.sum(RunStepRow.weight * RunStepRow.fraction)
        fraction = case((total_weight > 0, done_weight / total_weight), else_=0.0)
        run_fraction = (
            select(fraction).where(RunStepRow.run_id == run_id).scalar_subquery()
        )
        statement = (
            update(TrainingRunRow)
            .where(TrainingRunRow.id == run_id)
            .values(fraction=run_fraction, stage=stage, message=message.to_json())
        )
        self._session.execute(statement)
        notify_listeners(self._session, [run_id])

    def _fail_run(self, run_id: UUID, reason: Message) -> None:
        self._end_run(
            run_id, RunState.FAILED, reason=reason.code, message=reason.to_json()
        )

    def _end_run(self, run_id: UUID, state: RunState, **values: object) -> None:
        statement = (
            update(TrainingRunRow)
            .where(
                TrainingRunRow.id == run_id, TrainingRunRow.state == RunState.RUNNING
            )
            .values(state=state, ended_at=NOW, **values)
            .returning(TrainingRunRow.reason, TrainingRunRow.model_digest)
        )
        row = self._session.execute(statement).first()
        if row is None:
            return
        if state is RunState.DONE:
            self._audit.record(Event.RUN_DONE, run=str(run_id), model=row.model_digest)
        else:
            self._audit.record(Event.RUN_FAILED, run=str(run_id), reason=row.reason)
        notify_listeners(self._session, [run_id])


def _is_step(
    run_id: UUID, name: str
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (RunStepRow.run_id == run_id, RunStepRow.name == name)


def _numbers(outcome: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an outcome. Its lists and texts are not part of an event."""
    return {
        name: value for name, value in outcome.items() if isinstance(value, int | float)
    }
