"""Training runs: requested, followed, cancelled and resumed by an operator.

The module `steps` has the work of a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.messages import Message
from shared.domain.training.states import (
    RunState,
    StepKind,
    StepState,
    run_source_states,
)
from shared.errors import Conflict, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.jobs.repository import notify_listeners
from shared.ledger.tables import (
    AnyRow,
    AnySelect,
    DatasetRow,
    RunEventRow,
    RunStepRow,
    TrainingRunRow,
    VersionRow,
)

NOW = func.clock_timestamp()


class RunNotCancellable(Conflict):
    code = "run-not-cancellable"
    text = "The run is {state}; only a queued or running run can be cancelled."


class RunNotResumable(Conflict):
    code = "run-not-resumable"
    text = (
        "The run is {state}; only a failed or cancelled run can be resumed. Ask for a new one to "
        "train again."
    )


@dataclass(frozen=True)
class TrainingRun:
    id: UUID
    dataset_id: UUID
    dataset: str
    version_id: UUID | None
    version: int | None
    recipe: str
    recipe_table: dict[str, Any] | None
    folds: int | None
    seed: int
    state: RunState
    resumed: int
    stage: str | None
    fraction: float
    metrics: dict[str, Any] | None
    model_digest: str | None
    reason: str | None
    message: Message | None
    """The run's latest message. For a failed run it is the code and facts of the reason."""
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Step:
    """A step of a run. `seconds` is the duration of its latest attempt so far.

    `owner` is the trainer that holds the step now, as host/process/start.
    """

    name: str
    kind: StepKind
    state: StepState
    weight: float
    fraction: float
    message: Message | None
    attempts: int
    owner: str | None
    seconds: float | None
    outcome: dict[str, Any] | None


@dataclass(frozen=True)
class RunEvent:
    id: int
    at: datetime
    step: str
    stage: str
    fraction: float
    message: Message
    metrics: dict[str, Any]


class TrainingRuns:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def request(
        self,
        dataset: UUID,
        version: UUID,
        recipe: str,
        seed: int,
        folds: int | None = None,
        table: Mapping[str, Any] | None = None,
    ) -> UUID:
        """Queue a run. Its first step plans the others.

        `table` is the whole recipe, which does not change during this run.
        """
        row = TrainingRunRow(
            dataset_id=dataset,
            version_id=version,
            recipe=recipe,
            seed=seed,
            folds=folds,
        )
        if table:
            row.recipe_table = dict(table)
        self._session.add(row)
        self._session.flush()
        plan = RunStepRow(
            run_id=row.id,
            name=StepKind.PLAN,
            place=0,
            kind=StepKind.PLAN,
            weight=0.0,
        )
        self._session.add(plan)
        self._session.flush()
        self._audit.record(
            Event.RUN_REQUESTED, run=str(row.id), recipe=recipe, version=str(version)
        )
        return row.id

    def find(self, run_id: UUID) -> TrainingRun | None:
        query = _select_runs().where(TrainingRunRow.id == run_id)
        row = self._session.execute(query).first()
        return _run(row) if row else None

    def get(self, run_id: UUID) -> TrainingRun:
        """Raises NotFound."""
        run = self.find(run_id)
        if run is None:
            raise NotFound(thing="training run")
        return run

    def newest(self, limit: int = 50) -> list[TrainingRun]:
        query = _select_runs().order_by(TrainingRunRow.created_at.desc()).limit(limit)
        return [_run(row) for row in self._session.execute(query)]

    def steps(self, run_id: UUID) -> list[Step]:
        """Return the steps of a run in the order in which they are claimed."""
        end = func.coalesce(RunStepRow.ended_at, NOW)
        seconds = func.extract("epoch", end - RunStepRow.started_at)
        columns = [
            getattr(RunStepRow, field.name)
            for field in fields(Step)
            if field.name != "seconds"
        ]
        query = (
            select(*columns, seconds.label("seconds"))
            .where(RunStepRow.run_id == run_id)
            .order_by(RunStepRow.place)
        )
        return [_step(row) for row in self._session.execute(query)]

    def events(
        self, run_id: UUID, last_id: int = 0, limit: int = 1000
    ) -> list[RunEvent]:
        """The run's events after the event of this id, in order."""
        query = (
            select(RunEventRow)
            .where(RunEventRow.run_id == run_id, RunEventRow.id > last_id)
            .order_by(RunEventRow.id)
            .limit(limit)
        )
        return [_event(row) for row in self._session.scalars(query)]

    def cancel(self, run_id: UUID) -> bool:
        """Stop a run; False if there is no such run. Raises RunNotCancellable.

        Its trainers notice when they next report their progress.
        """
        state = self._release_steps(run_id)
        if state is None:
            return False
        if state not in run_source_states(RunState.CANCELLED):
            raise RunNotCancellable(state=state)
        message = Message("run-cancelled").to_json()
        self._change(run_id, state=RunState.CANCELLED, ended_at=NOW, message=message)
        self._audit.record(Event.RUN_CANCELLED, run=str(run_id))
        return True

    def resume(self, run_id: UUID) -> bool:
        """Queue a failed or cancelled run again; False if there is no such run.

        Finished steps stay finished. Raises RunNotResumable.
        """
        state = self._release_steps(run_id, attempts=0)
        if state is None:
            return False
        if state not in (RunState.FAILED, RunState.CANCELLED):
            raise RunNotResumable(state=state)
        self._change(
            run_id,
            state=RunState.QUEUED,
            resumed=TrainingRunRow.resumed + 1,
            reason=None,
            message=None,
            ended_at=None,
        )
        self._audit.record(Event.RUN_RESUMED, run=str(run_id))
        return True

    def record_model(self, run_id: UUID, digest: str, metrics: dict[str, Any]) -> None:
        """Note that the run's model is stored."""
        self._change(run_id, model_digest=digest, metrics=metrics)

    def _change(self, run_id: UUID, **values: object) -> None:
        self._session.execute(
            update(TrainingRunRow).where(TrainingRunRow.id == run_id).values(**values)
        )
        notify_listeners(self._session, [run_id])

    def _release_steps(self, run_id: UUID, **values: object) -> RunState | None:
        """End the lease of every unfinished step, then lock the run; returns its state.

        Every transaction locks steps before their run, so that no two wait for each other.
        """
        statement = (
            update(RunStepRow)
            .where(RunStepRow.run_id == run_id, RunStepRow.state != StepState.DONE)
            .values(
                state=StepState.WAITING,
                fraction=0.0,
                lease_token=None,
                lease_until=None,
                owner=None,
                **values,
            )
        )
        self._session.execute(statement)
        query = select(TrainingRunRow.state).where(TrainingRunRow.id == run_id)
        state = self._session.scalar(query.with_for_update())
        return RunState(state) if state else None


def _select_runs() -> AnySelect:
    return (
        select(TrainingRunRow, DatasetRow.name, VersionRow.number)
        .join(DatasetRow, DatasetRow.id == TrainingRunRow.dataset_id)
        .outerjoin(VersionRow, VersionRow.id == TrainingRunRow.version_id)
    )


def _run(row: Sequence[Any]) -> TrainingRun:
    run, dataset, version = row
    values = {
        field.name: getattr(run, field.name)
        for field in fields(TrainingRun)
        if field.name not in ("dataset", "version")
    }
    values["dataset"] = dataset
    values["version"] = version
    values["state"] = RunState(run.state)
    values["message"] = _message(run.message)
    return TrainingRun(**values)


def _step(row: AnyRow) -> Step:
    values = dict(row._mapping)
    values["kind"] = StepKind(row.kind)
    values["state"] = StepState(row.state)
    values["message"] = _message(row.message)
    if row.seconds is not None:
        values["seconds"] = float(row.seconds)
    return Step(**values)


def _event(row: RunEventRow) -> RunEvent:
    values = {field.name: getattr(row, field.name) for field in fields(RunEvent)}
    values["message"] = Message.from_json(row.message)
    return RunEvent(**values)


def _message(stored: Mapping[str, Any] | None) -> Message | None:
    return Message.from_json(stored) if stored else None
