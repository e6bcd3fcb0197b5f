"""Reader studies from outside: what is asked for, what a reader is shown and sends, how far everybody is."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.api.text import PlainText
from shared.domain.reader_studies import Design, Phase, CaseSelection, StudyState
from shared.domain.results.result import Result

MAX_CASES = 500
MAX_READERS = 20
MAX_READING_MS = 7 * 24 * 3600 * 1000
READER = "5d0b6c9a-7c52-4b6e-9f5b-0d6a3c1e8f10"
NEW: JsonDict = {
    "name": "Thyroid 2026",
    "question": "Do readers tell malignant nodules better with SERA's answer?",
    "pick": {"by": "balanced", "count": 40},
    "seed": 7,
    "readers": [READER],
}


class Choice(BaseModel):
    """Which cases, of those with a result and a known outcome; what was sent twice counts once."""

    model_config = ConfigDict(extra="forbid")
    by: CaseSelection = Field(
        description="`newest`, `balanced` (as many malignant as benign, drawn by the seed), or `ids`."
    )
    count: int = Field(
        0,
        ge=0,
        le=MAX_CASES,
        description="How many; not looked at where they are named.",
    )
    ids: list[UUID] = Field(
        [],
        max_length=MAX_CASES,
        description="The cases themselves, where `by` is `ids`.",
    )


class NewReaderStudy(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [NEW]})
    name: PlainText = Field(min_length=1, description="For lists; no patient data.")
    question: PlainText = Field(
        min_length=1, description="What the study is to answer."
    )
    design: Design = Field(
        Design.SEQUENTIAL,
        description="`sequential`: each case blind, then aided at once.",
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**53,
        description="Of the readers' random orders, and of a balanced draw.",
    )
    pick: Choice
    readers: list[UUID] = Field(
        min_length=1,
        max_length=MAX_READERS,
        description="People of the hospital who may read, by their ids.",
    )


class ReaderProgress(BaseModel):
    number: int = Field(description="The reader's pseudonym in analysis and export.")
    person_id: UUID | None = Field(
        description="Null for other readers than oneself, unless an administrator asks."
    )
    name: str | None = Field(
        description="Null for other readers than oneself, unless an administrator asks."
    )
    blind: int = Field(description="Blind readings stored.")
    aided: int = Field(description="Aided readings stored.")


class ReaderStudyView(BaseModel):
    study_id: UUID
    name: str
    question: str
    design: Design
    seed: int
    state: StudyState
    made_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None
    cases: int = Field(
        description="Cases to be read; without those that were erased since."
    )
    erased: int = Field(
        description="Cases that were erased since; they and their readings are gone."
    )
    readers: list[ReaderProgress]


class NextCase(BaseModel):
    """The next thing to do. Nothing here tells what SERA, another reader or the pathologist said."""

    phase: Phase | None = Field(description="Null: everything is read.")
    case_id: UUID | None
    image: str | None = Field(description="Where the image is, as a PNG.")
    width: int | None
    height: int | None
    size_mm: float | None = Field(
        description="Largest diameter of the nodule, as it was submitted."
    )
    done: int = Field(description="Cases that this reader has read both ways.")
    cases: int


class NewReadingView(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "case_id": READER,
                    "phase": "blind",
                    "probability": 70,
                    "malignant": True,
                }
            ]
        },
    )
    case_id: UUID
    phase: Phase
    probability: int = Field(
        ge=0, le=100, description="Of malignancy, in per cent, as the reader judges it."
    )
    malignant: bool = Field(description="The reader's decision.")
    fna: bool | None = Field(
        None, description="Whether the reader would have FNA done; left out: not said."
    )
    seen_ms: int | None = Field(
        None,
        ge=0,
        le=MAX_READING_MS,
        description="By the reader's own clock, while the page was in sight.",
    )
    hidden_ms: int | None = Field(
        None,
        ge=0,
        le=MAX_READING_MS,
        description="By the reader's own clock, while it was out of sight or paused.",
    )


class OwnReading(BaseModel):
    """A reader's own, as it is stored. How long it took is not told to readers."""

    case_id: UUID
    phase: Phase
    probability: int
    malignant: bool
    fna: bool | None


class AidedView(BaseModel):
    """What SERA said of a case that was read blind, and what the reader said then."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    case_id: UUID
    image: str
    size_mm: float
    blind: OwnReading
    sera: Result = Field(
        description="The case's `result`, as GET /v1/jobs/{id} gives it."
    )
