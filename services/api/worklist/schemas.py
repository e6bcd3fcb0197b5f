"""What a worklist may be asked for, and what a line of it says."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.api.locales import text_of_code
from services.api.text import BatchLabel, OptionalText
from shared.domain.jobs import JobState, Priority
from shared.domain.outcomes import OutcomeSource
from shared.ledger.cases.worklist import MAX_COUNTED, WorklistFilter, DeadLetterGroup, WorklistEntry, Order, OutcomeFilter

Decision = Literal["benign", "malignant", "refer"]
SAME = (
    "case_id",
    "job_id",
    "external_id",
    "batch",
    "created_at",
    "size_mm",
    "state",
    "priority",
    "attempts",
    "reason",
    "facts",
)
READ = ("risk", "decision", "fna")


def _or_none(value: Any) -> Any:
    """A field of a form that was left empty asks for nothing."""
    return None if value == "" else value


Blank = BeforeValidator(_or_none)
DAY = "A day, from its beginning to its end in UTC, or a moment."


class WorklistQuery(BaseModel):
    """Which cases; what is left out or empty asks for nothing."""

    model_config = ConfigDict(extra="ignore")
    state: Annotated[JobState | None, Blank] = None
    decision: Annotated[Decision | None, Blank] = None
    fna: Annotated[bool | None, Blank] = Field(
        None, description="Whether FNA is advised."
    )
    outcome: Annotated[OutcomeFilter | None, Blank] = Field(
        None, description="What is known of the case's end."
    )
    priority: Annotated[Priority | None, Blank] = None
    reason: OptionalText = Field(None, description="Code of why it failed.")
    since: Annotated[date | datetime | None, Blank] = Field(
        None, alias="from", description=f"Accepted from. {DAY}"
    )
    until: Annotated[date | datetime | None, Blank] = Field(
        None, alias="to", description=f"Accepted until. {DAY}"
    )
    q: OptionalText = Field(
        None,
        description="How your own number, or the case's id (8 digits or more), begins.",
    )
    batch: BatchLabel = Field(None, description="The label it was sent with.")
    order: Annotated[Order | None, Blank] = Field(
        None,
        description="`newest` (as where left out), `oldest`, or the highest `risk`, of cases that have a result.",
    )

    def filters(self) -> WorklistFilter:
        return WorklistFilter(
            self.state,
            self.decision,
            self.fna,
            self.outcome,
            self.priority,
            self.reason,
            _moment(self.since, time.min),
            _moment(self.until, time.max),
            self.q,
            self.batch,
            self.order or Order.NEWEST,
        )


class WorklistPageQuery(WorklistQuery):
    cursor: Annotated[str | None, Blank] = Field(
        None, max_length=300, description="`next_cursor` of the page before."
    )
    limit: int = Field(50, ge=1, le=200)


class WorklistOutcome(BaseModel):
    """What the case turned out to be."""

    malignant: bool
    source: OutcomeSource
    determined_on: date | None
    consent: bool


class WorklistRow(BaseModel):
    """A case in the list."""

    case_id: UUID
    job_id: UUID
    external_id: str | None
    batch: str | None
    created_at: datetime
    size_mm: float = Field(description="Largest diameter in mm.")
    state: JobState
    priority: Priority
    attempts: int
    reason: str | None = Field(description="Code of why it failed.")
    message: str | None = Field(
        description="The reason as a sentence that says the next step, in the caller's language."
    )
    facts: dict[str, Any] | None = Field(
        description="What the sentence is made of: numbers and names."
    )
    risk: float | None = Field(
        description="Calibrated risk of malignancy; null without a result."
    )
    decision: str | None
    fna: bool | None = Field(description="Whether FNA is advised.")
    warnings: list[str] = Field(description="Codes of the result's warnings.")
    outcome: WorklistOutcome | None = Field(
        description="What the case turned out to be; null while nobody said."
    )


class WorklistPage(BaseModel):
    cases: list[WorklistRow]
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null at the end."
    )
    total: int = Field(
        description=f"How many cases were asked for; {MAX_COUNTED} stands for that many or more."
    )
    more_than_total: bool = Field(description=f"There are more than {MAX_COUNTED}.")


class DeadLettersView(BaseModel):
    """How many cases failed with this reason, and the sentence of one of them."""

    reason: str
    message: str | None
    cases: int


def dead_letters_view(dead: DeadLetterGroup) -> DeadLettersView:
    message = text_of_code(dead.reason, dead.facts or {})
    return DeadLettersView(reason=dead.reason, message=message, cases=dead.cases)


def worklist_row(line: WorklistEntry) -> WorklistRow:
    told = {name: getattr(line, name) for name in (*SAME, *READ)}
    ending = {name: getattr(line, name) for name in WorklistOutcome.model_fields}
    outcome = None if line.malignant is None else WorklistOutcome(**ending)
    message = text_of_code(line.reason, line.facts or {}) if line.reason else None
    return WorklistRow(
        **told, message=message, warnings=list(line.warnings), outcome=outcome
    )


def _moment(told: date | datetime | None, of_day: time) -> datetime | None:
    if told is None:
        return None
    if not isinstance(told, datetime):
        return datetime.combine(told, of_day, UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)
