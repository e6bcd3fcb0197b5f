"""Models: look at, promote, roll back, run in the shadow. Operators only."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from services.api.dependencies import DependenciesDep, Operator, SystemSessionDep
from services.api.etags import IfMatch, set_etag
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
from shared.domain.messages import Message
from shared.queueing.app import Tasks

router = APIRouter(prefix="/v1", tags=["models"])
Why = Annotated[Reason, Body(embed=True)]


@router.get("/models")
def list_models(
    caller: Operator, session: SystemSessionDep, response: Response
) -> list[ModelView]:
    """Newest first; `live` marks the one that answers. The ETag changes with it."""
    set_etag(response, session.models.tag())
    return service.model_views(session, session.models.all())


@router.post("/models/rollback")
def roll_back(
    caller: Operator, session: SystemSessionDep, tags: IfMatch, reason: Why = None
) -> ModelView:
    """Make the model live again that was live before the present one; asks neither the gate nor for
    a reason."""
    return service.model_view(session, session.models.rollback(caller.actor, reason, tags))


@router.get("/models/{model_id}")
def read_model(
    model_id: str, caller: Operator, session: SystemSessionDep, response: Response
) -> ModelView:
    """By digest, a start of it, or a name (its newest version). The ETag changes with what is live."""
    set_etag(response, session.models.tag())
    return service.model_view(session, model_id)


@router.post("/models/{model_id}/promote")
def promote_model(
    model_id: str,
    caller: Operator,
    session: SystemSessionDep,
    tags: IfMatch,
    reason: Why = None,
) -> ModelView:
    """Make a model live that the gate passed against the present one, or for a reason; workers swap
    while serving."""
    digest = session.models.find(model_id).digest
    session.models.promote(digest, caller.actor, reason, tags)
    return service.model_view(session, digest)


@router.get("/models/{model_id}/gate")
def read_gate(model_id: str, caller: Operator, session: SystemSessionDep) -> GateView:
    """The last judgement, with reasons, figures and a row for each site."""
    return service.gate_view(session, model_id)


@router.post("/models/{model_id}/gate", status_code=202)
def judge_again(
    model_id: str,
    caller: Operator,
    session: SystemSessionDep,
    dependencies: DependenciesDep,
) -> ModelView:
    """Hold the gate again, against what is live now; a trainer does it, and the model shows its
    word."""
    model = session.models.find(model_id)
    run_id = service.run_id_of(model)
    session.steps.add_gate_step(run_id)
    session.transaction.on_commit(
        partial(dependencies.notifier.notify, Tasks.TRAIN, run_id)
    )
    return service.model_view(session, model.digest)


@router.get("/promotions")
def list_promotions(
    caller: Operator,
    session: SystemSessionDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[PromotionView]:
    """What was live when, who made it so and why; newest first."""
    return [service.promotion_view(row) for row in session.models.history(limit)]


@router.get("/workers")
def list_workers(caller: Operator, session: SystemSessionDep) -> list[WorkerView]:
    """Workers that are there, and what each serves or refuses to serve."""
    return [service.worker_view(row) for row in session.serving.present_workers()]


@router.post("/models/{model_id}/shadow", status_code=201)
def start_shadow(
    model_id: str,
    caller: Operator,
    session: SystemSessionDep,
    dependencies: DependenciesDep,
    request: ShadowRequest | None = None,
) -> ShadowView:
    """Let a model read the cases answered from now on, beside the live one and out of its way."""
    share = request.share if request else 1.0
    digest = session.models.find(model_id).digest
    started = session.shadows.start(digest, caller.actor, share)
    session.transaction.on_commit(
        partial(dependencies.notifier.notify, Tasks.SHADOW, started.id)
    )
    return service.shadow_view(started)


@router.get("/models/{model_id}/shadow")
def read_shadow(
    model_id: str, caller: Operator, session: SystemSessionDep
) -> ShadowReport:
    """What the model said in the shadow, beside the live model and, where they are known, the
    outcomes."""
    return service.shadow_report(session, model_id)


@router.delete("/shadow")
def stop_shadow(
    caller: Operator,
    session: SystemSessionDep,
    reason: Annotated[str | None, Query(max_length=2000)] = None,
) -> ShadowView:
    """End the shadow that runs; what it said is kept."""
    ending = Message("shadow-stopped", {"reason": reason} if reason else {})
    return service.shadow_view(session.shadows.stop(ending))
