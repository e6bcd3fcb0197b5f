"""What a submission is answered with, and what a case looks like."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.jobs import JobState

CASE, JOB = "1f0b8f5e-52b5-4d0c-8d55-5d8e2c4f7a11", "7f3f6c1e-6a55-4a33-9d1c-2f6f0f8d2a10"


class Receipt(BaseModel):
    """The case is durable; its result will be at `links.job`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "case_id": CASE,
                    "job_id": JOB,
                    "state": "queued",
                    "links": {"case": f"/v1/cases/{CASE}", "job": f"/v1/jobs/{JOB}"},
                }
            ]
        }
    )
    case_id: UUID
    job_id: UUID
    state: JobState
    links: dict[str, str]


class CaseView(BaseModel):
    case_id: UUID
    external_id: str | None
    size_mm: float
    roi: dict[str, Any] | None
    frame: int | None = Field(description="The frame of a loop that was asked for, from 1; null for the middle one.")
    device: str | None = Field(
        description="Make and model of the scanner, from a DICOM header; null for other files.",
        examples=["Philips Medical Systems EPIQ 7G"],
    )
    image: dict[str, Any] = Field(description="sha256, format, width and height of the image as uploaded.")
    created_at: datetime
    jobs: list[UUID]
    links: dict[str, str]


def links(case_id: UUID, job_id: UUID) -> dict[str, str]:
    return {
        "case": f"/v1/cases/{case_id}",
        "job": f"/v1/jobs/{job_id}",
        "events": f"/v1/jobs/{job_id}/events",
        "explanation": f"/v1/cases/{case_id}/explanation.png",
    }
