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
        description="Digest of the model that was live at the judgement; null if none was."
    )
    stale: bool = Field(
        description="Whether another model is live now than at the judgement."
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
        description="Whether it was trained on phantoms. Its results then mean nothing for a "
        "patient."
    )
    metrics: dict[str, Any] = Field(
        description="Figures of cross-validation on the training images."
    )
    created_at: datetime
    live: bool
    shadow: bool = Field(description="Whether a shadow evaluation of it runs now.")
    gate: GateSummary | None = Field(
        description="The last gate judgement; null if there is none."
    )
    serving: list[str] = Field(description="Workers that serve it.")
    refused: list[RefusalView] = Field(
        description="Workers that refuse to serve it, and why."
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
        "`sites` and `worst_site`."
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
        description="Verdict of the gate before the promotion; null if it had not judged."
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
        description="Digest of the model that it serves; null if it serves none."
    )
    since: datetime | None
    refused: RefusedModel | None = Field(
        description="The live model, if this worker refuses it because it does not pass its checks."
    )
    seen_at: datetime
    device: str | None = Field(
        description="Device that the worker reports to compute on.",
        examples=["CPU, 2 threads"],
    )
    claimed_at: datetime | None = Field(
        description="When it last claimed cases; null before the first time."
    )


class ShadowRequest(BaseModel):
    share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the cases that it analyses, selected by job id.",
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
    read: int = Field(description="Number of results that it has processed.")
    unread: int = Field(description="Images among them that it could not read.")
    waiting: int = Field(
        description="Number of results that it still has to process; 0 once it has ended."
    )
    against: str | None = Field(
        description="Digest of the model compared with: the last one that was live during the "
        "evaluation."
    )
    elsewhere: int = Field(
        description="Results of earlier live models, which the comparison leaves out."
    )
    comparison: Comparison | None = Field(
        description="Null until both models have analysed a case."
    )
