"""Training runs as an operator sees them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.locales import message_text
from services.api.text import PlainText
from shared.domain.messages import Message
from shared.domain.training.states import RunState, StepKind, StepState
from shared.domain.training.steps import AnyOutcome, outcome_from_json
from shared.ledger.training.runs import RunEvent, Step, TrainingRun

SENTENCE = "A sentence in the caller's language."
CODE = "The code of `message`."
FACTS = "What `message` is made of: numbers and names."
MESSAGE_FIELDS = ("message", "message_code", "facts")


class NewRun(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dataset": "severance-2026",
                    "version": 3,
                    "recipe": "light",
                    "seed": 0,
                }
            ]
        }
    )
    dataset: PlainText = Field(description="Name of the dataset.")
    version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="A frozen version; left out, the dataset is frozen as it is now, if it has changed.",
    )
    recipe: str = Field(
        description="Name of a recipe that ships, or of one in SERA_RECIPES_DIR. The run keeps it as it is now.",
        examples=["light"],
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=20,
        description="Folds of cross-validation, in place of the recipe's.",
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Equal seeds on equal data make equal models.",
    )


class StepView(BaseModel):
    """A piece of a run, done by one trainer at a time."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    name: str
    kind: StepKind
    state: StepState
    fraction: float
    attempts: int = Field(
        description="How often it was taken up; more than one after a trainer was lost."
    )
    owner: str | None = Field(
        description="The trainer that does it now: host/process/start; null while nobody does."
    )
    seconds: float | None = Field(description="Of the last attempt, so far.")
    message: str | None = Field(description=SENTENCE)
    message_code: str | None = Field(description=CODE)
    facts: dict[str, Any] | None = Field(description=FACTS)
    outcome: AnyOutcome | None = Field(
        description="What it found, by the kind of step; null until it is done."
    )


class RunEventView(BaseModel):
    """Something a run said of itself: a finished step, or the figures of an epoch."""

    id: int = Field(description="Rises; send the last one seen as `after`.")
    at: datetime
    step: str
    stage: str
    fraction: float
    message: str = Field(description=SENTENCE)
    message_code: str = Field(description=CODE)
    facts: dict[str, Any] = Field(description=FACTS)
    metrics: dict[str, Any] = Field(
        description="Such as `loss`, `auc` and `epoch` of a network being tuned."
    )


class RunSummary(BaseModel):
    run_id: UUID
    dataset: str
    version: int | None
    recipe: str
    folds: int | None
    seed: int
    state: RunState
    stage: str | None = Field(description="Kind of the step that spoke last.")
    fraction: float = Field(description="Share of the whole run that is done.")
    resumed: int = Field(description="How often an operator resumed it.")
    reason: str | None = Field(description="Code of why it failed.")
    message: str | None = Field(
        description=f"What it said last, or why it ended. {SENTENCE}"
    )
    message_code: str | None = Field(description=CODE)
    facts: dict[str, Any] | None = Field(description=FACTS)
    metrics: dict[str, Any] | None
    model_digest: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class RunView(RunSummary):
    """A run: poll it until `state` is done, failed or cancelled."""

    eta_s: float | None = Field(
        description="Seconds it is likely to need still; null until some of it is done."
    )
    steps: list[StepView]


def run_summary(run: TrainingRun) -> RunSummary:
    return RunSummary(**_of_run(run))


def run_view(run: TrainingRun, steps: list[Step]) -> RunView:
    step_views = [_step_view(step) for step in steps]
    return RunView(**_of_run(run), eta_s=eta_s(run, steps), steps=step_views)


def _step_view(step: Step) -> StepView:
    outcome = (
        None if step.outcome is None else outcome_from_json(step.kind, step.outcome)
    )
    return StepView(**_fields(step, StepView) | {"outcome": outcome})


def event_view(event: RunEvent) -> RunEventView:
    return RunEventView(**_fields(event, RunEventView))


def eta_s(run: TrainingRun, steps: list[Step]) -> float | None:
    """By what the finished part took, as the trainers at work now would need for the rest."""
    whole = sum(step.weight for step in steps)
    done = sum(step.weight * step.fraction for step in steps)
    busy = sum(
        step.seconds or 0 for step in steps if step.state is not StepState.WAITING
    )
    if run.state is not RunState.RUNNING or not done or not whole:
        return None
    at_work = max(sum(step.state is StepState.RUNNING for step in steps), 1)
    return round(busy * (whole - done) / done / at_work, 1)


def _of_run(run: TrainingRun) -> dict[str, Any]:
    return {"run_id": run.id, **_fields(run, RunSummary)}


def _fields(
    source: TrainingRun | Step | RunEvent, view: type[BaseModel]
) -> dict[str, Any]:
    """The fields of a view: those of the ledger by their names, and the message in words."""
    names = [
        name for name in view.model_fields if name not in ("run_id", *MESSAGE_FIELDS)
    ]
    return {name: getattr(source, name) for name in names} | _message_fields(
        source.message
    )


def _message_fields(message: Message | None) -> dict[str, Any]:
    if message is None:
        return dict.fromkeys(MESSAGE_FIELDS)
    return {
        "message": message_text(message),
        "message_code": message.code,
        "facts": dict(message.facts),
    }
