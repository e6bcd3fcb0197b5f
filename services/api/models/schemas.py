"""What is told of models, their gates, their promotions, the workers and the shadow."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.domain.models import GateVerdict, PromotionKind
from shared.statistics.model_life.shadow import Comparison

Digest = Annotated[
    str,
    Field(description="SHA-256 of the bundle's manifest: the model's name for good."),
]
Reason = Annotated[
    str | None,
    Field(
        max_length=2000,
        description="Why, for the audit trail. At least 10 characters are needed to promote without the gate's word.",
    ),
]


SENTENCE = "A sentence in the caller's language."
FACTS = "What `message` is made of: numbers and names."


class GateSummary(BaseModel):
    verdict: GateVerdict
    judged_against: str | None = Field(
        description="Digest of the model that was live then; null where none was."
    )
    stale: bool = Field(
        description="Another model is live now than the one it was judged against."
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
        description="It was trained on phantoms: its answers mean nothing for a patient."
    )
    metrics: dict[str, Any] = Field(
        description="Of cross-validation on the training images."
    )
    created_at: datetime
    live: bool
    shadow: bool = Field(description="It reads live traffic in the shadow at present.")
    gate: GateSummary | None = Field(
        description="The last judgement of the gate; null where there is none."
    )
    serving: list[str] = Field(description="Workers that answer with it.")
    refused: list[RefusalView] = Field(
        description="Workers that will not serve it, and why."
    )


class GateReasonView(BaseModel):
    code: str
    sentence: str = Field(description=SENTENCE)
    weight: str = Field(
        description="`for`, `against`, or `note`, which decides nothing."
    )
    facts: dict[str, Any] = Field(
        description="What `sentence` is made of: numbers and names."
    )


class GateView(GateSummary):
    gate_id: int
    model: Digest
    version_id: UUID | None = Field(
        description="The frozen dataset version whose test images were read."
    )
    run_id: UUID | None
    reasons: list[GateReasonView]
    figures: dict[str, Any] = Field(
        description="`candidate` and `live` (AUC, sensitivity, specificity, calibration, Brier), their `comparison`, "
        "`sites` and `worst_site`."
    )
    policy: dict[str, Any] = Field(description="What was asked.")


class PromotionView(BaseModel):
    number: int
    kind: PromotionKind
    model: Digest = Field(description="The model that was live from then on.")
    name: str
    version: int
    gate_id: int | None
    verdict: GateVerdict | None = Field(
        description="What the gate had said; null where it had not judged."
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
        description="Digest of what it serves; null while it serves nothing."
    )
    since: datetime | None
    refused: RefusedModel | None = Field(
        description="The live model, where it does not prove itself to this worker."
    )
    seen_at: datetime
    device: str | None = Field(
        description="What it computes on, by its own word.", examples=["CPU, 2 threads"]
    )
    claimed_at: datetime | None = Field(
        description="When it last claimed cases; null until it first does."
    )


class ShadowRequest(BaseModel):
    share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the cases it reads, chosen by their job's id.",
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
        description="What `end_reason` is made of: numbers and names."
    )


class ShadowReport(ShadowView):
    read: int = Field(description="Results it has read.")
    unread: int = Field(description="Of those, images it could not read.")
    waiting: int = Field(
        description="Results it has still to read; 0 once it has ended."
    )
    against: str | None = Field(
        description="Digest of the model it is compared with: the last that was live meanwhile."
    )
    elsewhere: int = Field(
        description="Results of models that were live before that one, left out of the comparison."
    )
    comparison: Comparison | None = Field(
        description="null until both have read a case."
    )
