"""API schemas of models, gate judgements, promotions, workers and shadow evaluations."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.domain.models import GateVerdict, PromotionKind
from shared.statistics.model_life.shadow import Comparison

Digest = Annotated[
    str,
    Field(description="SHA-256 of the bundle's manifest, which identifies the model."),
]
Reason = Annotated[
    str | None,
    Field(
        max_length=2000,
        description="Reason for the audit trail. Promotion without a passed gate needs at least 10 "
        "characters.",
    ),
]


SENTENCE = "A sentence in the caller's language."
FACTS = "Numbers and names that `message` contains."


class GateSummary(BaseModel):
    verdict: GateVerdict
    judged_against: str | None = Field(
        description="Digest of the model that was live at the judgement; null if no model was "
        "live."
    )
    stale: bool = Field(
        description="Whether the live model has changed since the judgement."
    )
    at: datetime


class RefusalView(BaseModel):
    worker: str
    code: str
    message: str = Field(description=SENTENCE)
    facts: dict[str, Any] = Field(description=FACTS)


class ModelView(BaseModel):
    digest: Digest
    name: str
    version: int
    recipe: str
    run_id: UUID | None
    synthetic: bool = Field(
        description="Whether the model was trained on phantoms. Results of such a model must not "
        "be used for patients."
    )
    metrics: dict[str, Any] = Field(
        description="Figures of cross-validation on the training images."
    )
    created_at: datetime
    live: bool
    shadow: bool = Field(
        description="Whether a shadow evaluation of this model is running."
    )
    gate: GateSummary | None = Field(
        description="The latest gate judgement; null if there is none."
    )
    serving: list[str] = Field(description="Workers that serve this model.")
    refused: list[RefusalView] = Field(
        description="Workers that refuse to serve this model, each with the reason."
    )


class GateReasonView(BaseModel):
    code: str
    sentence: str = Field(description=SENTENCE)
    weight: str = Field(
        description="`for`, `against`, or `note`, which has no effect on the verdict."
    )
    facts: dict[str, Any] = Field(
        description="Numbers and names that `sentence` contains."
    )


class GateView(GateSummary):
    gate_id: int
    model: Digest
    version_id: UUID | None = Field(
        description="The frozen dataset version whose test images were used."
    )
    run_id: UUID | None
    reasons: list[GateReasonView]
    figures: dict[str, Any] = Field(
        description="`candidate` and `live` (AUC, sensitivity, specificity, calibration, Brier), "
        "their `comparison`, "
        "`sites` and `worst_site`. `evaluation.sizes` has the calibration at each size; it is null "
        "for too few images."
    )
    policy: dict[str, Any] = Field(description="The criteria of the gate.")


class PromotionView(BaseModel):
    number: int
    kind: PromotionKind
    model: Digest = Field(description="The model that became live.")
    name: str
    version: int
    gate_id: int | None
    verdict: GateVerdict | None = Field(
        description="Verdict of the gate before the promotion; null if the gate had not judged "
        "the model."
    )
    actor: str
    reason: str | None
    at: datetime


class RefusedModel(BaseModel):
    model: Digest
    code: str
    message: str = Field(description=SENTENCE)
    facts: dict[str, Any] = Field(description=FACTS)


class WorkerView(BaseModel):
    worker: str
    model: str | None = Field(
        description="Digest of the model that the worker serves; null if it serves none."
    )
    since: datetime | None
    refused: RefusedModel | None = Field(
        description="The live model, if this worker refuses it because the model failed the "
        "worker's checks; else null."
    )
    seen_at: datetime
    device: str | None = Field(
        description="Device on which the worker computes.",
        examples=["CPU, 2 threads"],
    )
    claimed_at: datetime | None = Field(
        description="Time at which the worker last claimed cases; null if it has never claimed "
        "any."
    )


class ShadowRequest(BaseModel):
    share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the cases that the model analyses, selected by job id.",
    )


class ShadowView(BaseModel):
    shadow_id: UUID
    model: Digest
    share: float
    actor: str
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None = Field(description=f"Why it ended. {SENTENCE}")
    end_code: str | None = Field(description="The code of `end_reason`.")
    end_facts: dict[str, Any] | None = Field(
        description="Numbers and names that `end_reason` contains."
    )


class ShadowReport(ShadowView):
    read: int = Field(
        description="Number of live results whose images the shadow model has "
        "processed."
    )
    unread: int = Field(
        description="Number of these images that the shadow model could not process."
    )
    waiting: int = Field(
        description="Number of live results that the shadow model must still process; 0 after the "
        "evaluation has ended."
    )
    against: str | None = Field(
        description="Digest of the compared model: the last live model during the evaluation."
    )
    elsewhere: int = Field(
        description="Number of results by earlier live models. The comparison excludes them."
    )
    comparison: Comparison | None = Field(
        description="The comparison of both models; null until both models have analysed a case."
    )
