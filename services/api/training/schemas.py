"""API schemas of training runs."""

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
FACTS = "Numbers and names that `message` contains."
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
        description="Number of a frozen version. If omitted, the current draft is frozen. An "
        "unchanged draft uses its existing version.",
    )
    recipe: str = Field(
        description="Name of a recipe of SERA or of a recipe in SERA_RECIPES_DIR. The run stores "
        "a copy of the recipe.",
        examples=["light"],
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=20,
        description="Number of folds of cross-validation. It replaces the number in the recipe.",
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Equal seeds on equal data give equal models.",
    )


class StepView(BaseModel):
    """A step of a run, carried out by one trainer at a time."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    name: str
    kind: StepKind
    state: StepState
    fraction: float
    attempts: int = Field(
        description="Number of attempts. It is above 1 if an earlier trainer was lost."
    )
    owner: str | None = Field(
        description="The trainer that performs the step now, as host/process/start; null if no "
        "trainer does."
    )
    seconds: float | None = Field(description="Duration of the last attempt so far.")
    message: str | None = Field(description=SENTENCE)
    message_code: str | None = Field(description=CODE)
    facts: dict[str, Any] | None = Field(description=FACTS)
    outcome: AnyOutcome | None = Field(
        description="Result of the step, by its kind; null until it is done."
    )


class RunEventView(BaseModel):
    """An event of a run: a finished step, or the figures of an epoch."""

    id: int = Field(
        description="Id of the event. Ids increase. Send the id of the last received "
        "event as `after`."
    )
    at: datetime
    step: str
    stage: str
    fraction: float
    message: str = Field(description=SENTENCE)
    message_code: str = Field(description=CODE)
    facts: dict[str, Any] = Field(description=FACTS)
    metrics: dict[str, Any] = Field(
        description="Figures such as `loss`, `auc` and `epoch` of a network being tuned."
    )


class RunSummary(BaseModel):
    run_id: UUID
    dataset: str
    version: int | None
    recipe: str
    folds: int | None
    seed: int
    state: RunState
    stage: str | None = Field(description="Kind of the step with the latest event.")
    fraction: float = Field(description="Completed share of the run.")
    resumed: int = Field(description="Number of times an operator resumed it.")
    reason: str | None = Field(description="Code of the failure.")
    message: str | None = Field(
        description=f"The newest message, or why the run ended. {SENTENCE}"
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
        description="Estimated remaining seconds; null until a part of the run is done."
    )
    steps: list[StepView]


def run_summary(run: TrainingRun) -> RunSummary:
    return RunSummary(**_run_fields(run))


def run_view(run: TrainingRun, steps: list[Step]) -> RunView:
    step_views = [_step_view(step) for step in steps]
    return RunView(**_run_fields(run), eta_s=eta_s(run, steps), steps=step_views)


def _step_view(step: Step) -> StepView:
    fields = _fields(step, StepView)
    fields["outcome"] = None
    if step.outcome is not None:
        fields["outcome"] = outcome_from_json(step.kind, step.outcome)
    return StepView(**fields)


def event_view(event: RunEvent) -> RunEventView:
    return RunEventView(**_fields(event, RunEventView))


def eta_s(run: TrainingRun, steps: list[Step]) -> float | None:
    """Return the estimated remaining seconds with the present number of trainers.

    The estimate extrapolates from the duration of the finished part. Returns None if the run is not
    running or nothing is finished.
    """
    total_weight = sum(step.weight for step in steps)
    finished_weight = sum(step.weight * step.fraction for step in steps)
    spent_s = sum(
        step.seconds or 0 for step in steps if step.state is not StepState.WAITING
    )
    if run.state is not RunState.RUNNING or not finished_weight or not total_weight:
        return None
    running_steps = sum(step.state is StepState.RUNNING for step in steps)
    trainers = max(running_steps, 1)
    remaining_weight = total_weight - finished_weight
    return round(spent_s * remaining_weight / finished_weight / trainers, 1)


def _run_fields(run: TrainingRun) -> dict[str, Any]:
    return {"run_id": run.id, **_fields(run, RunSummary)}


def _fields(
    source: TrainingRun | Step | RunEvent, view: type[BaseModel]
) -> dict[str, Any]:
    """Return the fields of a view: the row's fields with the same names, and the text of the
    message.
    """
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
