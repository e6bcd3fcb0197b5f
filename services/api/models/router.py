"""Models: look at, promote, roll back, run in the shadow. Operators only."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from services.api.dependencies import Operator, WiringDep
from services.api.editing import IfMatch, tagged
from services.api.models import service
from services.api.models.schemas import (
    GateView,
    ModelView,
    PromotionView,
    Reason,
    ShadowReport,
    ShadowRequest,
    ShadowView,
    WorkerView,
)
from shared.queueing.app import Tasks

router = APIRouter(prefix="/v1", tags=["models"])
Why = Annotated[Reason, Body(embed=True)]


@router.get("/models")
def list_models(wired: WiringDep, who: Operator, response: Response) -> list[ModelView]:
    """Newest first; `live` marks the one that answers. The ETag changes with it."""
    with wired.ledger.system_session(who.actor) as session:
        tagged(response, session.models.tag())
        return service.views(session, session.models.all())


@router.post("/models/rollback")
def roll_back(wired: WiringDep, who: Operator, tags: IfMatch, reason: Why = None) -> ModelView:
    """Make the model live again that was live before the present one; asks neither the gate nor for a reason."""
    with wired.ledger.system_session(who.actor) as session:
        return service.view(session, session.models.rollback(who.actor, reason, tags))


@router.get("/models/{model_id}")
def read_model(model_id: str, wired: WiringDep, who: Operator, response: Response) -> ModelView:
    """By digest, a start of it, or a name (its newest version). The ETag changes with what is live."""
    with wired.ledger.system_session(who.actor) as session:
        tagged(response, session.models.tag())
        return service.view(session, model_id)


@router.post("/models/{model_id}/promote")
def promote_model(
    model_id: str, wired: WiringDep, who: Operator, tags: IfMatch, reason: Why = None
) -> ModelView:
    """Make a model live that the gate passed against the present one, or for a reason; workers swap while serving."""
    with wired.ledger.system_session(who.actor) as session:
        digest = session.models.find(model_id).digest
        session.models.promote(digest, who.actor, reason, tags)
        return service.view(session, digest)


@router.get("/models/{model_id}/gate")
def read_gate(model_id: str, wired: WiringDep, who: Operator) -> GateView:
    """The last judgement, with reasons, figures and a row for each site."""
    with wired.ledger.system_session(who.actor) as session:
        return service.gate(session, model_id)


@router.post("/models/{model_id}/gate", status_code=202)
def judge_again(model_id: str, wired: WiringDep, who: Operator) -> ModelView:
    """Hold the gate again, against what is live now; a trainer does it, and the model shows its word."""
    with wired.ledger.system_session(who.actor) as session:
        model = session.models.find(model_id)
        run_id = service.run_of(model)
        session.steps.gate_again(run_id)
        view = service.view(session, model.digest)
    wired.doorbell.ring(Tasks.TRAIN, run_id)
    return view


@router.get("/promotions")
def list_promotions(
    wired: WiringDep, who: Operator, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[PromotionView]:
    """What was live when, who made it so and why; newest first."""
    with wired.ledger.system_session(who.actor) as session:
        return [service.promotion(row) for row in session.models.history(limit)]


@router.get("/workers")
def list_workers(wired: WiringDep, who: Operator) -> list[WorkerView]:
    """Workers that are there, and what each serves or refuses to serve."""
    with wired.ledger.system_session(who.actor) as session:
        return [service.worker(row) for row in session.serving.alive()]


@router.post("/models/{model_id}/shadow", status_code=201)
def start_shadow(
    model_id: str, wired: WiringDep, who: Operator, request: ShadowRequest | None = None
) -> ShadowView:
    """Let a model read the cases answered from now on, beside the live one and out of its way."""
    share = request.share if request else 1.0
    with wired.ledger.system_session(who.actor) as session:
        started = session.shadows.start(session.models.find(model_id).digest, who.actor, share)
    wired.doorbell.ring(Tasks.SHADOW, started.id)
    return service.shadow(started)


@router.get("/models/{model_id}/shadow")
def read_shadow(model_id: str, wired: WiringDep, who: Operator) -> ShadowReport:
    """What the model said in the shadow, beside the live model and, where they are known, the outcomes."""
    with wired.ledger.system_session(who.actor) as session:
        return service.shadow_report(session, model_id)


@router.delete("/shadow")
def stop_shadow(
    wired: WiringDep, who: Operator, reason: Annotated[str | None, Query(max_length=2000)] = None
) -> ShadowView:
    """End the shadow that runs; what it said is kept."""
    with wired.ledger.system_session(who.actor) as session:
        return service.shadow(session.shadows.stop(reason or "An operator stopped it."))
