"""The trainers' side of a run: claim a step whose forerunners are done, report, finish, fail, give back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Double, Row, case, cast, func, insert, select, text, update
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

READY = """
    FROM run_steps s JOIN training_runs r ON r.id = s.run_id
    WHERE r.state IN ('queued', 'running') AND s.state = 'waiting' AND s.available_at <= clock_timestamp()
      AND NOT EXISTS (
        SELECT 1 FROM run_steps before
        WHERE before.run_id = s.run_id AND before.state <> 'done' AND s.after @> to_jsonb(before.name))
"""
NEXT = text(
    f"SELECT s.run_id, s.name {READY} ORDER BY r.created_at, s.place LIMIT 1 FOR UPDATE OF s SKIP LOCKED"
)
READY_OF_RUN = text(f"SELECT count(*) {READY} AND s.run_id = :run")
OPEN = text(
    f"SELECT (SELECT count(*) {READY}) + (SELECT count(*) FROM run_steps WHERE state = 'running')"
)


class RunNotEnded(Conflict):
    code = "run-not-ended"
    text = "The model's run is at work, so its gate is yet to come. Follow it: ./sera runs watch RUN."


@dataclass(frozen=True)
class NewStep:
    """A step to be done; `subject` says on what, `after` names its forerunners, `weight` is its expected seconds."""

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
    """Every transaction locks steps before their run, so that none waits for another in a circle."""

    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def claim(
        self, owner: str, lease: timedelta, max_attempts: int
    ) -> ClaimedStep | None:
        """Lease the first step of the oldest run that can be done now; never waits for a lock."""
        self.reclaim(max_attempts)
        chosen = self._session.execute(NEXT).first()
        if chosen is None:
            return None
        token = uuid4()
        held = {
            "state": StepState.RUNNING,
            "owner": owner,
            "lease_token": token,
            "lease_until": NOW + lease,
        }
        told = (RunStepRow.kind, RunStepRow.subject, RunStepRow.attempts)
        this = (RunStepRow.run_id == chosen.run_id, RunStepRow.name == chosen.name)
        values = {
            **held,
            "attempts": RunStepRow.attempts + 1,
            "started_at": NOW,
            "ended_at": None,
            "fraction": 0.0,
        }
        row = self._session.execute(
            update(RunStepRow).where(*this).values(**values).returning(*told)
        ).one()
        self._begin(chosen.run_id)
        return ClaimedStep(
            token,
            chosen.run_id,
            chosen.name,
            StepKind(row.kind),
            row.subject,
            row.attempts,
        )

    def count_open(self) -> int:
        """Steps that are being done or could be now: as many trainers have something to do."""
        steps: int = self._session.scalars(OPEN).one()
        return steps

    def owners(self) -> list[str]:
        """Who holds steps now."""
        query = (
            select(RunStepRow.owner)
            .where(RunStepRow.state == StepState.RUNNING)
            .distinct()
        )
        return list(self._session.scalars(query))

    def reclaim(self, max_attempts: int, lost_owners: Sequence[str] = ()) -> None:
        """Take back steps whose lease ran out, or whose trainer is known to be gone; out of attempts, the run fails."""
        over = (RunStepRow.lease_until < NOW) | RunStepRow.owner.in_(lost_owners)
        late = select(RunStepRow.run_id, RunStepRow.name, RunStepRow.attempts).where(
            RunStepRow.state == StepState.RUNNING, over
        )
        locked = late.order_by(RunStepRow.run_id).with_for_update(skip_locked=True)
        for run_id, name, attempts in self._session.execute(locked).all():
            this = (RunStepRow.run_id == run_id, RunStepRow.name == name)
            spent = attempts >= max_attempts
            self._set(*this, state=StepState.FAILED if spent else StepState.WAITING)
            if spent:
                self._end_failed(run_id, Message(TRAINER_LOST, {"step": name}))

    def renew(self, tokens: Sequence[UUID], lease: timedelta) -> None:
        """Hold steps longer, while their trainer lives."""
        held = (
            RunStepRow.lease_token.in_(tokens),
            RunStepRow.state == StepState.RUNNING,
        )
        self._session.execute(
            update(RunStepRow).where(*held).values(lease_until=NOW + lease)
        )

    def report_progress(
        self,
        token: UUID,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float] | None = None,
    ) -> bool:
        """Report how far a step is, with figures that are worth keeping; False if it is no longer this trainer's."""
        values = {
            "fraction": min(max(fraction, 0.0), 1.0),
            "message": message.to_json(),
        }
        held = (RunStepRow.lease_token == token, RunStepRow.state == StepState.RUNNING)
        told = (RunStepRow.run_id, RunStepRow.name)
        row = self._session.execute(
            update(RunStepRow).where(*held).values(**values).returning(*told)
        ).first()
        if row is None:
            return False
        if metrics:
            self._say(row.run_id, row.name, stage, fraction, message, metrics)
        self._sum_up(row.run_id, stage, message)
        return True

    def finish(
        self,
        token: UUID,
        outcome: Mapping[str, Any],
        new_steps: Sequence[NewStep] = (),
        message: Message | None = None,
    ) -> int | None:
        """Mark a step done, with the steps that follow from it.

        Returns how many steps of the run can be done now, None if the step is no longer this trainer's.
        """
        done = {
            "state": StepState.DONE,
            "fraction": 1.0,
            "ended_at": NOW,
            "outcome": dict(outcome),
        }
        row = self._set(
            RunStepRow.lease_token == token,
            **done,
            message=message and message.to_json(),
        )
        if row is None:
            return None
        run_id = row.run_id
        # Of two steps that end at once the later one sees the other's end, and so that it was the last.
        self._session.execute(
            select(TrainingRunRow.id)
            .where(TrainingRunRow.id == run_id)
            .with_for_update()
        )
        self._add(run_id, new_steps)
        news = message or Message(STEP_DONE, {"step": row.name})
        self._say(run_id, row.name, row.kind, 1.0, news, _figures(outcome))
        self._sum_up(run_id, row.kind, news)
        if not self._open(run_id):
            self._end(run_id, RunState.DONE, stage="done", message=None)
        ready: int = self._session.scalars(READY_OF_RUN, {"run": run_id}).one()
        return ready

    def fail(self, token: UUID, reason: Message) -> None:
        """A step cannot be done, and so its run cannot."""
        failed = {"state": StepState.FAILED, "ended_at": NOW, "reason": reason.code}
        if row := self._set(RunStepRow.lease_token == token, **failed):
            self._end_failed(row.run_id, reason)

    def give_back(self, token: UUID, delay: timedelta) -> None:
        """Return a step unharmed: the attempt does not count."""
        back = {
            "state": StepState.WAITING,
            "attempts": RunStepRow.attempts - 1,
            "available_at": NOW + delay,
        }
        self._set(RunStepRow.lease_token == token, **back)

    def outcomes(self, run_id: UUID, kind: StepKind) -> list[dict[str, Any]]:
        """What the finished steps of a kind found."""
        this = (
            RunStepRow.run_id == run_id,
            RunStepRow.kind == kind,
            RunStepRow.state == StepState.DONE,
        )
        return list(
            self._session.scalars(
                select(RunStepRow.outcome).where(*this).order_by(RunStepRow.place)
            )
        )

    def add_gate_step(self, run_id: UUID) -> None:
        """Add a gate to a run that has ended well; raises RunNotEnded."""
        query = (
            select(TrainingRunRow.state)
            .where(TrainingRunRow.id == run_id)
            .with_for_update()
        )
        if self._session.scalar(query) != RunState.DONE:
            raise RunNotEnded
        held = select(func.count()).where(
            RunStepRow.run_id == run_id, RunStepRow.kind == StepKind.GATE
        )
        number = self._session.scalars(held).one() + 1
        self._add(run_id, [NewStep(f"{StepKind.GATE}/{number}", StepKind.GATE)])
        again = {"state": RunState.QUEUED, "ended_at": None, "stage": StepKind.GATE}
        self._session.execute(
            update(TrainingRunRow).where(TrainingRunRow.id == run_id).values(**again)
        )
        notify_listeners(self._session, [run_id])

    def seconds_per_image(self, recipe: str) -> dict[tuple[str, str], float]:
        """Seconds for each image, by kind of step and feature set, in the latest finished run of a recipe."""
        of_recipe = (
            TrainingRunRow.recipe == recipe,
            TrainingRunRow.state == RunState.DONE,
        )
        latest = (
            select(TrainingRunRow.id)
            .where(*of_recipe)
            .order_by(TrainingRunRow.ended_at.desc())
            .limit(1)
        )
        took = func.extract("epoch", RunStepRow.ended_at - RunStepRow.started_at)
        images = cast(RunStepRow.subject["images"].astext, Double)
        which = RunStepRow.subject["feature_set"].astext
        query = (
            select(
                RunStepRow.kind,
                func.coalesce(which, ""),
                func.sum(took) / func.sum(images),
            )
            .where(RunStepRow.run_id == latest.scalar_subquery(), images > 0)
            .group_by(RunStepRow.kind, which)
        )
        return {
            (kind, of): float(pace) for kind, of, pace in self._session.execute(query)
        }

    def _begin(self, run_id: UUID) -> None:
        this = (TrainingRunRow.id == run_id, TrainingRunRow.state == RunState.QUEUED)
        started = {
            "state": RunState.RUNNING,
            "started_at": func.coalesce(TrainingRunRow.started_at, NOW),
        }
        begun = self._session.scalar(
            update(TrainingRunRow)
            .where(*this)
            .values(**started)
            .returning(TrainingRunRow.id)
        )
        if begun:
            self._audit.record(Event.RUN_STARTED, run=str(run_id))
        notify_listeners(self._session, [run_id])

    def _set(self, *which: Any, **values: Any) -> Row[UUID, str, str] | None:
        free = {"lease_token": None, "lease_until": None, "owner": None}
        changed = (
            update(RunStepRow)
            .where(*which, RunStepRow.state == StepState.RUNNING)
            .values(**values, **free)
        )
        return self._session.execute(
            changed.returning(RunStepRow.run_id, RunStepRow.name, RunStepRow.kind)
        ).first()

    def _add(self, run_id: UUID, steps: Sequence[NewStep]) -> None:
        first = (
            self._session.scalars(
                select(func.max(RunStepRow.place)).where(RunStepRow.run_id == run_id)
            ).one()
            + 1
        )
        rows = [
            {
                **vars(step),
                "run_id": run_id,
                "place": first + number,
                "after": list(step.prerequisites),
            }
            for number, step in enumerate(steps)
        ]
        if rows:
            self._session.execute(insert(RunStepRow), rows)

    def _open(self, run_id: UUID) -> int:
        unfinished = (RunStepRow.run_id == run_id, RunStepRow.state != StepState.DONE)
        return self._session.scalars(
            select(func.count()).select_from(RunStepRow).where(*unfinished)
        ).one()

    def _say(
        self,
        run_id: UUID,
        step: str,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float],
    ) -> None:
        said = {
            "step": step,
            "stage": stage,
            "fraction": fraction,
            "message": message.to_json(),
            "metrics": dict(metrics),
        }
        self._session.execute(insert(RunEventRow).values(run_id=run_id, **said))

    def _sum_up(self, run_id: UUID, stage: str, message: Message) -> None:
        """The run is as far as its steps are together."""
        whole = func.sum(RunStepRow.weight)
        done = func.sum(RunStepRow.weight * RunStepRow.fraction)
        share = (
            select(case((whole > 0, done / whole), else_=0.0))
            .where(RunStepRow.run_id == run_id)
            .scalar_subquery()
        )
        values = {"fraction": share, "stage": stage, "message": message.to_json()}
        self._session.execute(
            update(TrainingRunRow).where(TrainingRunRow.id == run_id).values(**values)
        )
        notify_listeners(self._session, [run_id])

    def _end_failed(self, run_id: UUID, reason: Message) -> None:
        self._end(run_id, RunState.FAILED, reason=reason.code, message=reason.to_json())

    def _end(self, run_id: UUID, state: RunState, **values: Any) -> None:
        this = (TrainingRunRow.id == run_id, TrainingRunRow.state == RunState.RUNNING)
        told = (TrainingRunRow.reason, TrainingRunRow.model_digest)
        row = self._session.execute(
            update(TrainingRunRow)
            .where(*this)
            .values(state=state, ended_at=NOW, **values)
            .returning(*told)
        ).first()
        if row:
            details = (
                {"model": row.model_digest}
                if state is RunState.DONE
                else {"reason": row.reason}
            )
            event = Event.RUN_DONE if state is RunState.DONE else Event.RUN_FAILED
            self._audit.record(event, run=str(run_id), **details)
            notify_listeners(self._session, [run_id])


def _figures(outcome: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an outcome; lists and texts stay with the step."""
    return {
        name: value for name, value in outcome.items() if isinstance(value, int | float)
    }
