"""Models: list, look at, promote. Operators only."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body
from pydantic import BaseModel

from services.api.dependencies import Operator, WiringDep
from shared.ledger.models import Model

router = APIRouter(prefix="/v1", tags=["models"])


class ModelView(BaseModel):
    digest: str
    name: str
    version: int
    recipe: str
    run_id: UUID | None
    synthetic: bool
    metrics: dict[str, Any]
    created_at: datetime
    live: bool


def view(model: Model) -> ModelView:
    return ModelView(**vars(model))


@router.get("/models")
def list_models(wired: WiringDep, who: Operator) -> list[ModelView]:
    """Newest first; `live` marks the one that answers."""
    with wired.ledger.whole(who.actor) as house:
        return [view(model) for model in house.models.all()]


@router.get("/models/{model_id}")
def read_model(model_id: str, wired: WiringDep, who: Operator) -> ModelView:
    """By digest, a start of it, or a name (its newest version)."""
    with wired.ledger.whole(who.actor) as house:
        return view(house.models.find(model_id))


@router.post("/models/{model_id}/promote")
def promote_model(
    model_id: str,
    wired: WiringDep,
    who: Operator,
    reason: Annotated[str | None, Body(embed=True, max_length=2000)] = None,
) -> ModelView:
    """Make a model live; workers swap to it while serving."""
    with wired.ledger.whole(who.actor) as house:
        digest = house.models.find(model_id).digest
        house.models.promote(digest, who.actor, reason)
        return view(house.models.find(digest))
