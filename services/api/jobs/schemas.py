"""What a job looks like from outside."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.languages import word
from shared.domain.jobs import JobState
from shared.ledger.jobs import Job

RESULT = {
    "score": 0.71,
    "risk": 0.42,
    "decision": "malignant",
    "cutoff": 0.48,
    "cutoff_rule": "sensitivity>=0.95",
    "cutoff_risk": 0.19,
    "conformal": {"alpha": 0.1, "set": ["malignant"], "benign_p": 0.04, "malignant_p": 0.61},
    "prevalence": 0.23,
    "fna": {
        "recommended": True,
        "rule": "risk-band/ACR-2017/1",
        "level": "TR5",
        "threshold_mm": 10.0,
        "size_mm": 14.5,
        "text": "FNA is due: 14.5 mm reaches the 10 mm threshold of TR5 (risk 42 %).",
        "alternatives": [],
    },
    "readers": [{"network": "squeezenet", "tap": "avg", "classifier": "svm", "probability": 0.73}],
    "roi": None,
    "warnings": [
        {"code": "roi-not-given", "message": "No ROI was given; the whole image was read."}
    ],
    "model": {"name": "light", "version": 2, "digest": "9f2c..."},
    "timings_ms": {"waited": 12.0, "prepare": 3.1, "infer": 88.0},
}


class JobView(BaseModel):
    """One job: poll it until `state` is done, failed or cancelled."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_id": "7f3f6c1e-6a55-4a33-9d1c-2f6f0f8d2a10",
                    "case_id": "1f0b8f5e-52b5-4d0c-8d55-5d8e2c4f7a11",
                    "state": "done",
                    "position": None,
                    "eta_s": None,
                    "attempts": 1,
                    "reason": None,
                    "message": None,
                    "facts": None,
                    "result": RESULT,
                }
            ]
        }
    )
    job_id: UUID
    case_id: UUID
    state: JobState
    position: int | None = Field(description="Place in the queue; 1 is next. Only while queued.")
    eta_s: float | None = Field(
        description="Seconds until a result is likely, where recent work tells."
    )
    attempts: int
    reason: str | None = Field(description="Code of why it failed.")
    message: str | None = Field(
        description="The reason as a sentence that says the next step, in the caller's language."
    )
    facts: dict[str, Any] | None = Field(
        description="What the sentence is made of: numbers and names."
    )
    result: dict[str, Any] | None = Field(
        description="`roi` is what was read where the case gave none: a `box` with its `source`, `calipers`; else null."
    )


class JobPage(BaseModel):
    jobs: list[JobView]
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null at the end."
    )


class Reruns(BaseModel):
    queued: int = Field(description="How many were queued again.")
    more: bool = Field(description="Whether there may be others of this reason: ask again.")


def view(job: Job, eta_s: float | None = None) -> JobView:
    told = {
        name: getattr(job, name)
        for name in ("case_id", "state", "position", "attempts", "reason", "facts", "result")
    }
    message = word(job.reason, job.facts or {}) if job.reason else None
    return JobView(job_id=job.id, eta_s=eta_s, message=message, **told)
