"""Training runs: requested, followed, cancelled and resumed by an operator. Their work is in `steps`."""

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
    text = "The run is {state}; only a failed or cancelled run can be resumed. Ask for a new one to train again."


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
    """What it said last; why it failed, by the code of its reason."""
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Step:
    """A piece of a run, as one sees it from outside; `seconds` of its last attempt so far.

    `owner` is the trainer at it now, as host/process/start.
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
        """Queue a run; its first step plans the others. `table` is the recipe as it stays for this run."""
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
        self._session.add(
            RunStepRow(
                run_id=row.id,
                name=StepKind.PLAN,
                place=0,
                kind=StepKind.PLAN,
                weight=0.0,
            )
        )
        self._session.flush()
        self._audit.record(
            Event.RUN_REQUESTED, run=str(row.id), recipe=recipe, version=str(version)
        )
        return row.id

    def find(self, run_id: UUID) -> TrainingRun | None:
        row = self._session.execute(_runs().where(TrainingRunRow.id == run_id)).first()
        return _run(row) if row else None

    def get(self, run_id: UUID) -> TrainingRun:
        """Raises NotFound."""
        run = self.find(run_id)
        if run is None:
            raise NotFound(thing="training run")
        return run

    def newest(self, limit: int = 50) -> list[TrainingRun]:
        query = _runs().order_by(TrainingRunRow.created_at.desc()).limit(limit)
        return [_run(row) for row in self._session.execute(query)]

    def steps(self, run_id: UUID) -> list[Step]:
        """In the order in which they are taken up."""
        took = func.extract(
            "epoch", func.coalesce(RunStepRow.ended_at, NOW) - RunStepRow.started_at
        )
        names = [field.name for field in fields(Step) if field.name != "seconds"]
        columns = [getattr(RunStepRow, name) for name in names]
        query = (
            select(*columns, took.label("seconds"))
            .where(RunStepRow.run_id == run_id)
            .order_by(RunStepRow.place)
        )
        return [_step(row) for row in self._session.execute(query)]

    def events(self, run_id: UUID, last_id: int = 0, limit: int = 1000) -> list[RunEvent]:
        """What the run said of itself after that event."""
        query = select(RunEventRow).where(
            RunEventRow.run_id == run_id, RunEventRow.id > last_id
        )
        rows = self._session.scalars(query.order_by(RunEventRow.id).limit(limit))
        return [_event(row) for row in rows]

    def cancel(self, run_id: UUID) -> bool:
        """Stop a run; its trainers notice with their next word. False if there is no such run."""
        state = self._let_go(run_id)
        if state is None:
            return False
        if state not in run_source_states(RunState.CANCELLED):
            raise RunNotCancellable(state=state)
        cancelled = Message("run-cancelled").to_json()
        self._change(run_id, state=RunState.CANCELLED, ended_at=NOW, message=cancelled)
        self._audit.record(Event.RUN_CANCELLED, run=str(run_id))
        return True

    def resume(self, run_id: UUID) -> bool:
        """Queue a failed or cancelled run again; finished steps stay finished. False if there is no such run."""
        state = self._let_go(run_id, attempts=0)
        if state is None:
            return False
        if state not in (RunState.FAILED, RunState.CANCELLED):
            raise RunNotResumable(state=state)
        again = {
            "resumed": TrainingRunRow.resumed + 1,
            "reason": None,
            "message": None,
            "ended_at": None,
        }
        self._change(run_id, state=RunState.QUEUED, **again)
        self._audit.record(Event.RUN_RESUMED, run=str(run_id))
        return True

    def record_model(self, run_id: UUID, digest: str, metrics: dict[str, Any]) -> None:
        """The run's model is stored."""
        self._change(run_id, model_digest=digest, metrics=metrics)

    def _change(self, run_id: UUID, **values: Any) -> None:
        self._session.execute(
            update(TrainingRunRow).where(TrainingRunRow.id == run_id).values(**values)
        )
        notify_listeners(self._session, [run_id])

    def _let_go(self, run_id: UUID, **values: Any) -> RunState | None:
        """Take every unfinished step away from its trainer, then lock the run; returns its state.

        Steps come before their run in every transaction, so that none waits for another in a circle.
        """
        free = {
            "state": StepState.WAITING,
            "fraction": 0.0,
            "lease_token": None,
            "lease_until": None,
            "owner": None,
        }
        unfinished = (RunStepRow.run_id == run_id, RunStepRow.state != StepState.DONE)
        self._session.execute(
            update(RunStepRow).where(*unfinished).values(**free, **values)
        )
        state = self._session.scalar(
            select(TrainingRunRow.state)
            .where(TrainingRunRow.id == run_id)
            .with_for_update()
        )
        return RunState(state) if state else None


def _runs() -> AnySelect:
    query = select(TrainingRunRow, DatasetRow.name, VersionRow.number)
    return query.join(DatasetRow, DatasetRow.id == TrainingRunRow.dataset_id).outerjoin(
        VersionRow, VersionRow.id == TrainingRunRow.version_id
    )


def _run(row: Sequence[Any]) -> TrainingRun:
    run, dataset, version = row
    own = [
        field.name
        for field in fields(TrainingRun)
        if field.name not in ("dataset", "version", "state", "message")
    ]
    told = {name: getattr(run, name) for name in own}
    return TrainingRun(
        **told,
        dataset=dataset,
        version=version,
        state=RunState(run.state),
        message=_message(run.message),
    )


def _step(row: Any) -> Step:
    told = dict(row._mapping)
    seconds = None if told["seconds"] is None else float(told["seconds"])
    typed = {
        "kind": StepKind(row.kind),
        "state": StepState(row.state),
        "message": _message(row.message),
        "seconds": seconds,
    }
    return Step(**{**told, **typed})


def _event(row: RunEventRow) -> RunEvent:
    same = {
        field.name: getattr(row, field.name)
        for field in fields(RunEvent)
        if field.name != "message"
    }
    return RunEvent(**same, message=Message.from_json(row.message))


def _message(stored: Mapping[str, Any] | None) -> Message | None:
    return Message.from_json(stored) if stored else None
