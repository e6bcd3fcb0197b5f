"""API schemas of the worklist: its filters and its rows."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.api.locales import text_of_code
from services.api.moments import Day, MomentInUtc
from services.api.text import BatchLabel, OptionalText
from shared.domain.jobs import JobState, Priority
from shared.domain.outcomes import OutcomeSource
from shared.domain.results.statement import Statement
from shared.ledger.cases.worklist import (
    MAX_COUNTED,
    DeadLetterGroup,
    Order,
    OutcomeFilter,
    WorklistEntry,
    WorklistFilter,
)

Decision = Literal["benign", "malignant", "refer"]
COPIED_FIELDS = (
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
RESULT_FIELDS = (
    "risk",
    "risk_interval",
    "decision",
    "fna",
    "statement",
    "reader_level",
)


def _or_none(value: object) -> object:
    """Convert an empty field of a form to None, which means no filter."""
    return None if value == "" else value


Blank = BeforeValidator(_or_none)
DAY = "A day in UTC, from its start to its end, or a moment."


class WorklistQuery(BaseModel):
    """Filters of the worklist. An omitted or empty field is no filter."""

    model_config = ConfigDict(extra="ignore")
    state: Annotated[JobState | None, Blank] = None
    decision: Annotated[Decision | None, Blank] = None
    fna: Annotated[bool | None, Blank] = Field(
        None,
        description="Whether FNA is advised. Referred cases have no advice and match neither.",
    )
    outcome: Annotated[OutcomeFilter | None, Blank] = Field(
        None, description="Whether the final diagnosis is known."
    )
    priority: Annotated[Priority | None, Blank] = None
    reason: OptionalText = Field(None, description="Code of the failure.")
    since: Annotated[Day | MomentInUtc | None, Blank] = Field(
        None, alias="from", description=f"Accepted from this time on. {DAY}"
    )
    until: Annotated[Day | MomentInUtc | None, Blank] = Field(
        None, alias="to", description=f"Accepted up to this time. {DAY}"
    )
    q: OptionalText = Field(
        None,
        description="Beginning of your own number of the case, or of the case's id (at least 8 "
        "digits).",
    )
    batch: BatchLabel = Field(
        None, description="Label that was submitted with the cases."
    )
    order: Annotated[Order | None, Blank] = Field(
        None,
        description="`newest` (default), `oldest`, or highest `risk` first, which lists only cases "
        "with a result. Neither this nor the filters by the answer list cases whose result is "
        "withheld from the caller.",
    )

    def filters(self) -> WorklistFilter:
        return WorklistFilter(
            state=self.state,
            decision=self.decision,
            fna=self.fna,
            outcome=self.outcome,
            priority=self.priority,
            reason=self.reason,
            created_from=_moment(self.since, time.min),
            created_until=_moment(self.until, time.max),
            id_prefix=self.q,
            batch=self.batch,
            order=self.order or Order.NEWEST,
        )


class WorklistPageQuery(WorklistQuery):
    cursor: Annotated[str | None, Blank] = Field(
        None, max_length=300, description="`next_cursor` of the previous page."
    )
    limit: int = Field(50, ge=1, le=200)


class WorklistOutcome(BaseModel):
    """The final diagnosis of a case."""

    malignant: bool
    source: OutcomeSource
    determined_on: date | None
    consent: bool


class WorklistRow(BaseModel):
    """One case of the worklist."""

    case_id: UUID
    job_id: UUID
    external_id: str | None
    batch: str | None
    created_at: datetime
    size_mm: float = Field(description="Largest diameter in mm.")
    state: JobState
    priority: Priority
    attempts: int
    reason: str | None = Field(description="Code of the failure.")
    message: str | None = Field(
        description="The reason as a sentence with the next step, in the caller's language."
    )
    facts: dict[str, Any] | None = Field(
        description="Numbers and names that the sentence contains."
    )
    risk: float | None = Field(
        description="Calibrated risk of malignancy; null without a result, and for a case that was "
        "referred."
    )
    risk_interval: tuple[float, float] | None = Field(
        description="Lowest and highest value of the risk, as in the case's result; null where "
        "`risk` is, and from models without an interval."
    )
    decision: str | None = Field(description="`benign`, `malignant` or `refer`.")
    fna: bool | None = Field(
        description="Whether FNA is advised; null without a result, and for a case that was "
        "referred."
    )
    statement: Statement | None = Field(
        description="What the result says to its reader; null without a result."
    )
    withheld: bool = Field(
        description="Whether the result is withheld from this person until their own suspicion "
        "level is stored; then the five fields above are null. Never for API keys."
    )
    reader_level: str | None = Field(
        description="The first suspicion level that a person entered before SERA's answer was "
        "shown to them; null while the answer is withheld from this person."
    )
    warnings: list[str] = Field(description="Codes of the result's warnings.")
    outcome: WorklistOutcome | None = Field(
        description="The final diagnosis; null until it is recorded."
    )


class WorklistPage(BaseModel):
    cases: list[WorklistRow]
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null at the end."
    )
    total: int = Field(
        description=f"Number of matching cases; {MAX_COUNTED} means that many or more."
    )
    more_than_total: bool = Field(
        description=f"Whether more than {MAX_COUNTED} cases match."
    )


class DeadLettersView(BaseModel):
    """The number of cases that failed with one reason, and the sentence of one of them."""

    reason: str
    message: str | None
    cases: int


def dead_letters_view(dead: DeadLetterGroup) -> DeadLettersView:
    message = text_of_code(dead.reason, dead.facts or {})
    return DeadLettersView(reason=dead.reason, message=message, cases=dead.cases)


def worklist_row(entry: WorklistEntry) -> WorklistRow:
    fields = {name: getattr(entry, name) for name in (*COPIED_FIELDS, *RESULT_FIELDS)}
    outcome = None
    if entry.malignant is not None:
        outcome = WorklistOutcome(
            **{name: getattr(entry, name) for name in WorklistOutcome.model_fields}
        )
    message = text_of_code(entry.reason, entry.facts or {}) if entry.reason else None
    return WorklistRow(
        **fields,
        message=message,
        withheld=entry.is_withheld,
        warnings=list(entry.warnings),
        outcome=outcome,
    )


def _moment(value: date | datetime | None, time_of_day: time) -> datetime | None:
    """Convert a day to a time by adding `time_of_day`."""
    if value is None or isinstance(value, datetime):
        return value
    return datetime.combine(value, time_of_day, UTC)
