"""API schemas of cases, submissions and outcomes."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.api.cases.assessment import DescriptorsView, ReaderAssessment
from services.api.cases.reader_level import ReaderLevelView
from services.api.text import OptionalText
from shared.domain.erasure import ErasureReason
from shared.domain.image_source import ImageSource
from shared.domain.jobs import JobState
from shared.domain.outcomes import OutcomeSource
from shared.ledger.cases.outcomes import Outcome

EARLIEST_ZONE = timedelta(hours=14)
"""Each day begins first at UTC+14. A date is in the future only if that day has not begun anywhere
on Earth.
"""
CASE = "1f0b8f5e-52b5-4d0c-8d55-5d8e2c4f7a11"
JOB = "7f3f6c1e-6a55-4a33-9d1c-2f6f0f8d2a10"


DuplicateOf = Field(
    description="This hospital's first case with the same image, size, ROI and frame; null if "
    "there is none. The new case is analysed nevertheless. A repeated submission does "
    "no harm, but check that two patients were not mixed up.",
)


class Receipt(BaseModel):
    """The case is stored durably. Its result will appear at `links.job`."""

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


def _not_in_future(day: date) -> date:
    latest = (datetime.now(UTC) + EARLIEST_ZONE).date()
    if day > latest:
        raise ValueError("it lies in the future")
    return day


class NewOutcome(BaseModel):
    """The final diagnosis of a case. The latest diagnosis counts. Earlier diagnoses stay on
    record.
    """

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
    source: OutcomeSource = Field(description="How the diagnosis was established.")
    determined_on: Annotated[date, AfterValidator(_not_in_future)] | None = Field(
        None, description="Date of the diagnosis; not in the future."
    )
    patient: OptionalText = Field(
        None,
        description="Your own patient number, stored only as a keyed hash. If it is omitted, an "
        "earlier number stays.",
    )
    consent: bool = Field(
        False,
        description="Whether the patient consents to use of the image for training.",
    )


class OutcomeView(BaseModel):
    malignant: bool
    source: OutcomeSource
    determined_on: date | None
    consent: bool
    patient_known: bool
    recorded_at: datetime


class Tombstone(BaseModel):
    """The record that remains of an erased case."""

    case_id: UUID
    erased_at: datetime
    ground: ErasureReason


class CaseView(BaseModel):
    case_id: UUID
    external_id: str | None
    size_mm: float
    roi: dict[str, Any] | None
    frame: int | None = Field(
        description="Requested frame of a loop, counted from 1. Null means the middle frame."
    )
    source: ImageSource = Field(
        description="`photo` if the image is a photo of a screen."
    )
    device: str | None = Field(
        description="Make and model of the scanner from the DICOM header; null for other files.",
        examples=["Philips Medical Systems EPIQ 7G"],
    )
    image: dict[str, Any] = Field(
        description="Format, width and height of the image, and SHA-256 of its de-identified copy."
    )
    removed: dict[str, int] | None = Field(
        description="Number of elements that were removed from the image before it was stored, by "
        "their name in DICOM or in the file format. Null for cases that were "
        "submitted before SERA de-identified images.",
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
    batch: str | None = Field(
        description="Your own label for cases that you submitted together."
    )
    descriptors: DescriptorsView | None = Field(
        description="Descriptors that the reader entered, in the terms of the ACR lexicon; null "
        "if the reader entered none."
    )
    reader_assessment: ReaderAssessment | None = Field(
        description="Assessment by the guidelines from the descriptors and the size. It never "
        "changes the model's risk. Null without descriptors."
    )
    reader_levels: list[ReaderLevelView] = Field(
        description="Suspicion levels that people of the hospital entered before SERA's answer was "
        "shown to them, oldest first. While the answer is withheld from a person, only their own."
    )
    created_at: datetime
    jobs: list[UUID]
    outcome: OutcomeView | None = Field(
        description="The final diagnosis; null until it is recorded."
    )
    links: dict[str, str]


class SimilarCase(BaseModel):
    """A past case of this hospital that the same model analysed, with its final diagnosis."""

    case_id: UUID
    external_id: str | None
    distance: float = Field(
        description="Euclidean distance between the embeddings of the two images, along the first "
        "principal directions of the training images, in standard deviations. 0 means "
        "equal. The distance is not a probability."
    )
    risk: float | None = Field(
        description="Null if SERA's answer to that case is withheld from this person."
    )
    decision: str | None = Field(
        description="Null if SERA's answer to that case is withheld from this person."
    )
    size_mm: float
    outcome: OutcomeView
    created_at: datetime


class SimilarView(BaseModel):
    """Similar past cases, nearest first."""

    model: str | None = Field(
        description="Digest of the model that analysed all of these cases."
    )
    among: int = Field(
        description="Number of searched cases. Each of them has a final diagnosis and was "
        "analysed by this model."
    )
    cases: list[SimilarCase]
    reason: str | None = Field(
        description="Reason why there are no cases: `no-result`, `model-without-embedding` or "
        "`no-known-outcome`. Null if there are cases."
    )


def outcome_view(outcome: Outcome) -> OutcomeView:
    return OutcomeView(
        malignant=outcome.malignant,
        source=outcome.source,
        determined_on=outcome.determined_on,
        consent=outcome.consent,
        patient_known=outcome.patient is not None,
        recorded_at=outcome.recorded_at,
    )


def links(case_id: UUID, job_id: UUID) -> dict[str, str]:
    return {
        "case": f"/v1/cases/{case_id}",
        "job": f"/v1/jobs/{job_id}",
        "events": f"/v1/jobs/{job_id}/events",
        "explanation": f"/v1/cases/{case_id}/explanation.png",
        "image": f"/v1/cases/{case_id}/image.png",
    }
