"""API schemas of reader studies."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.api.text import PlainText
from shared.domain.reader_studies import CaseSelection, Design, Phase, StudyState
from shared.domain.results.result import Result

MAX_CASES = 500
MAX_READERS = 20
MAX_READING_MS = 7 * 24 * 3600 * 1000
READER = "5d0b6c9a-7c52-4b6e-9f5b-0d6a3c1e8f10"
NEW_STUDY_EXAMPLE: JsonDict = {
    "name": "Thyroid 2026",
    "question": "Do readers tell malignant nodules better with SERA's answer?",
    "pick": {"by": "balanced", "count": 40},
    "seed": 7,
    "readers": [READER],
}


class Choice(BaseModel):
    """Selection from the cases with a result and a known outcome. A case that was submitted twice
    is selected only once.
    """

    model_config = ConfigDict(extra="forbid")
    by: CaseSelection = Field(
        description="`newest`, `balanced` (as many malignant as benign, drawn by the seed), or "
        "`ids`."
    )
    count: int = Field(
        0,
        ge=0,
        le=MAX_CASES,
        description="Number of cases; ignored if `by` is `ids`.",
    )
    ids: list[UUID] = Field(
        [],
        max_length=MAX_CASES,
        description="Ids of the cases, if `by` is `ids`.",
    )


class NewReaderStudy(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [NEW_STUDY_EXAMPLE]}
    )
    name: PlainText = Field(min_length=1, description="Name in lists; no patient data.")
    question: PlainText = Field(
        min_length=1, description="The question that the study is to answer."
    )
    design: Design = Field(
        Design.SEQUENTIAL,
        description="`sequential`: each case blind, then immediately aided.",
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**53,
        description="Seed of the readers' random orders, and of a balanced draw.",
    )
    pick: Choice
    readers: list[UUID] = Field(
        min_length=1,
        max_length=MAX_READERS,
        description="Ids of the people of this hospital who are the readers of the study.",
    )


class ReaderProgress(BaseModel):
    number: int = Field(description="The reader's pseudonym in analysis and export.")
    person_id: UUID | None = Field(
        description="Only for administrators and for the reader's own entry; else null."
    )
    name: str | None = Field(
        description="Only for administrators and for the reader's own entry; else null."
    )
    blind: int = Field(description="Number of stored blind readings.")
    aided: int = Field(description="Number of stored aided readings.")


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
        description="Number of cases to read, without the cases that were erased since the "
        "selection."
    )
    erased: int = Field(
        description="Number of cases that were erased since the selection. Their readings were "
        "erased too."
    )
    readers: list[ReaderProgress]


class NextCase(BaseModel):
    """The next case of a reader. It reveals nothing of SERA's result, other readings or the
    diagnosis.
    """

    phase: Phase | None = Field(
        description="Phase of the next reading; null if the reader has finished."
    )
    case_id: UUID | None
    image: str | None = Field(description="Path of the image as a PNG.")
    width: int | None
    height: int | None
    size_mm: float | None = Field(
        description="Largest diameter of the nodule in mm, as submitted."
    )
    done: int = Field(
        description="Number of cases that this reader has read both blind and aided."
    )
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
        ge=0,
        le=100,
        description="Probability of malignancy in per cent, as the reader judges it.",
    )
    malignant: bool = Field(description="The reader's decision.")
    fna: bool | None = Field(
        None, description="Whether the reader recommends FNA; omitted if not stated."
    )
    seen_ms: int | None = Field(
        None,
        ge=0,
        le=MAX_READING_MS,
        description="Milliseconds by the reader's clock while the page was visible.",
    )
    hidden_ms: int | None = Field(
        None,
        ge=0,
        le=MAX_READING_MS,
        description="Milliseconds by the reader's clock while the page was hidden or paused.",
    )


class OwnReading(BaseModel):
    """A reader's own reading as it is stored. Readers do not see how long it took."""

    case_id: UUID
    phase: Phase
    probability: int
    malignant: bool
    fna: bool | None


class AidedView(BaseModel):
    """SERA's result for a case that was read blind, together with the reader's blind reading."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    case_id: UUID
    image: str
    size_mm: float
    blind: OwnReading
    sera: Result = Field(
        description="The `result` of the case, as in the response of GET /v1/jobs/{id}."
    )
