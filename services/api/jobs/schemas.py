"""API schemas of jobs."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.locales import text_of_code
from shared.domain.jobs import JobState
from shared.domain.results.findings import Finding
from shared.domain.results.model_reference import GateStanding, ModelReference
from shared.domain.results.prediction import Component, Verdict
from shared.domain.results.rates import CutoffRates, Rate, RateSource
from shared.domain.results.result import Conformal, Result, RiskGuarantee, Timings
from shared.guidelines import alternatives, recommend
from shared.ledger.jobs.repository import Job

RESULT = Result(
    score=0.71,
    risk=0.42,
    decision=Verdict.MALIGNANT,
    cutoff=0.48,
    cutoff_rule="sensitivity>=0.95",
    cutoff_risk=0.19,
    conformal=Conformal(
        alpha=0.1, set=(Verdict.MALIGNANT,), benign_p=0.04, malignant_p=0.61
    ),
    prevalence=0.23,
    fna=replace(recommend(0.42, 14.5), alternatives=alternatives(0.42, 14.5)),
    components=(
        Component(
            network="squeezenet",
            tap="avg",
            classifier="svm",
            probability=0.44,
            prevalence=0.23,
        ),
    ),
    roi=None,
    warnings=(
        Finding("roi-absent", "No ROI was given, so the whole B-mode image was read."),
    ),
    model=ModelReference(
        name="light",
        version=2,
        digest="9f2c" * 16,
        synthetic=False,
        gate=GateStanding.PASSED,
        training_images=2400,
        training_malignant=900,
        cross_validated_auc=0.86,
        test_auc=0.84,
    ),
    timings_ms=Timings(waited=12.0, prepare=3.1, infer=88.0),
    cutoff_rates=CutoffRates(
        sensitivity=Rate(value=0.96, low=0.94, high=0.97, count=864, of=900),
        specificity=Rate(value=0.52, low=0.49, high=0.55, count=780, of=1500),
        source=RateSource.CROSS_VALIDATION,
    ),
    prevalence_assumed=True,
    risk_interval=(0.31, 0.56),
    risk_guarantee=RiskGuarantee.VENN_ABERS,
)
"""An example for the OpenAPI document."""


class JobView(BaseModel):
    """One job: poll it until `state` is done, failed or cancelled."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
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
                    "result": RESULT.to_json(),
                    "withheld": False,
                }
            ]
        },
    )
    job_id: UUID
    case_id: UUID
    state: JobState
    position: int | None = Field(
        description="Position in the queue; 1 is the next job. Null unless the job is queued."
    )
    eta_s: float | None = Field(
        description="Estimated seconds until the result; null if recent work allows no estimate."
    )
    attempts: int
    reason: str | None = Field(description="Code of the failure.")
    message: str | None = Field(
        description="The reason as a sentence with the next step, in the caller's language."
    )
    facts: dict[str, Any] | None = Field(
        description="Numbers and names that the sentence contains."
    )
    result: Result | None = Field(
        description="The result of the case; null until the job is done, and while it is withheld."
    )
    withheld: bool = Field(
        description="Whether the case has a result that is withheld from this person until their "
        "own suspicion level is stored (`POST /v1/cases/{case_id}/reader-level`), because their "
        "hospital wants that. Never for API keys."
    )


class JobPage(BaseModel):
    jobs: list[JobView]
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null at the end."
    )


class Reruns(BaseModel):
    queued: int = Field(description="Number of jobs that were queued again.")
    more: bool = Field(
        description="Whether there may be more dead letters with this reason. If true, repeat the "
        "request."
    )


def job_view(
    job: Job, eta_s: float | None = None, *, is_withheld: bool = False
) -> JobView:
    """The view of a job. If it is withheld from the caller, its result is left out."""
    message = text_of_code(job.reason, job.facts or {}) if job.reason else None
    return JobView(
        job_id=job.id,
        case_id=job.case_id,
        state=job.state,
        position=job.position,
        eta_s=eta_s,
        attempts=job.attempts,
        reason=job.reason,
        message=message,
        facts=job.facts,
        result=None if is_withheld else job.result,
        withheld=is_withheld and job.result is not None,
    )
