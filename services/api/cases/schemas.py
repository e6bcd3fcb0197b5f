"""What a submission is answered with, and what a case looks like."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.api.cases.assessment import DescriptorsView, ReaderAssessment
from services.api.text import OptionalText
from shared.domain.erasure import ErasureReason
from shared.domain.image_source import ImageSource
from shared.domain.jobs import JobState
from shared.domain.outcomes import OutcomeSource
from shared.ledger.cases.outcomes import Outcome

EARLIEST_ZONE = timedelta(hours=14)
"""The day begins first at UTC+14; a date is in the future only if it is nowhere on Earth yet."""
CASE = "1f0b8f5e-52b5-4d0c-8d55-5d8e2c4f7a11"
JOB = "7f3f6c1e-6a55-4a33-9d1c-2f6f0f8d2a10"


DuplicateOf = Field(
    description="This hospital's first case with the same image, size, ROI and frame; null where there was none. The "
    "case is read all the same: sent again by mistake it does no harm, but two patients may have been mixed up.",
)


class Receipt(BaseModel):
    """The case is durable; its result will be at `links.job`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "case_id": CASE,
                    "job_id": JOB,
                    "state": "queued",
                    "duplicate_of": None,
                    "links": {"case": f"/v1/cases/{CASE}", "job": f"/v1/jobs/{JOB}"},
                }
            ]
        }
    )
    case_id: UUID
    job_id: UUID
    state: JobState
    duplicate_of: UUID | None = DuplicateOf
    links: dict[str, str]


def _not_ahead(day: date) -> date:
    latest = (datetime.now(UTC) + EARLIEST_ZONE).date()
    if day > latest:
        raise ValueError("it lies in the future")
    return day


class NewOutcome(BaseModel):
    """What the case turned out to be. Sent again, the last one counts; the earlier ones stay on record."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "malignant": True,
                    "source": "histology",
                    "determined_on": "2026-03-14",
                    "patient": "P-17",
                    "consent": True,
                }
            ]
        },
    )
    malignant: bool
    source: OutcomeSource = Field(description="How it became known.")
    determined_on: Annotated[date, AfterValidator(_not_ahead)] | None = Field(
        None, description="Not in the future."
    )
    patient: OptionalText = Field(
        None,
        description="Your own number, kept only as a keyed hash; left out, an earlier one stands.",
    )
    consent: bool = Field(
        False, description="Whether the image may be used for training."
    )


class OutcomeView(BaseModel):
    malignant: bool
    source: OutcomeSource
    determined_on: date | None
    consent: bool
    patient_known: bool
    recorded_at: datetime


class Tombstone(BaseModel):
    """What is left of an erased case."""

    case_id: UUID
    erased_at: datetime
    ground: ErasureReason


class CaseView(BaseModel):
    case_id: UUID
    external_id: str | None
    size_mm: float
    roi: dict[str, Any] | None
    frame: int | None = Field(
        description="The frame of a loop that was asked for, from 1; null for the middle one."
    )
    source: ImageSource = Field(
        description="`photo` where the image is a photo of a screen."
    )
    device: str | None = Field(
        description="Make and model of the scanner, from a DICOM header; null for other files.",
        examples=["Philips Medical Systems EPIQ 7G"],
    )
    image: dict[str, Any] = Field(
        description="Format, width and height of the image, and sha256 of its cleaned copy."
    )
    removed: dict[str, int] | None = Field(
        description="What was taken out of the image before it was stored, by its name in DICOM or of the file format, "
        "counted; null for cases of before images were cleaned.",
        examples=[
            {
                "PatientName": 1,
                "PatientID": 1,
                "private": 12,
                "pixels-outside-regions": 1,
            }
        ],
    )
    duplicate_of: UUID | None = DuplicateOf
    batch: str | None = Field(description="Your own label for what you sent together.")
    descriptors: DescriptorsView | None = Field(
        description="What the reader saw, in the terms of the ACR lexicon; null where nothing was said."
    )
    reader_assessment: ReaderAssessment | None = Field(
        description="What the guidelines make of the descriptors at this size, beside the model's risk and never part "
        "of it; null without descriptors."
    )
    created_at: datetime
    jobs: list[UUID]
    outcome: OutcomeView | None = Field(
        description="What the case turned out to be; null while nobody said."
    )
    links: dict[str, str]


class SimilarCase(BaseModel):
    """A past case of this hospital as the same model read it, and what it turned out to be."""

    case_id: UUID
    external_id: str | None
    distance: float = Field(
        description="Between the two images as the model sees them: Euclidean, along the training images' first "
        "principal directions in standard deviations. 0 is the same; it is no probability."
    )
    risk: float
    decision: str
    size_mm: float
    outcome: OutcomeView
    created_at: datetime


class SimilarView(BaseModel):
    """The nearest first."""

    model: str | None = Field(
        description="Digest of the model by which all of them were read."
    )
    among: int = Field(
        description="How many cases with a known outcome, read by this model, there were to choose from."
    )
    cases: list[SimilarCase]
    reason: str | None = Field(
        description="Why there are none: `no-result`, `model-without-embedding` or `no-known-outcome`; else null."
    )


def outcome_view(outcome: Outcome) -> OutcomeView:
    told = {
        name: getattr(outcome, name)
        for name in OutcomeView.model_fields
        if name != "patient_known"
    }
    return OutcomeView(patient_known=outcome.patient is not None, **told)


def links(case_id: UUID, job_id: UUID) -> dict[str, str]:
    return {
        "case": f"/v1/cases/{case_id}",
        "job": f"/v1/jobs/{job_id}",
        "events": f"/v1/jobs/{job_id}/events",
        "explanation": f"/v1/cases/{case_id}/explanation.png",
        "image": f"/v1/cases/{case_id}/image.png",
    }
