"""Routes of models: read, promote, roll back, evaluate in the shadow. Operators only."""

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
from services.api.strict_requests import StrictRoute
from shared.domain.messages import Message
from shared.ledger.models.second_operator import PromotionNeedsSecondOperator
from shared.queueing.app import Tasks

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["models"])
Why = Annotated[Reason, Body(embed=True)]


@router.get("/models")
def list_models(
    caller: Operator, session: SystemSessionDep, response: Response
) -> list[ModelView]:
    """Return models, newest first; `live` marks the live model. The ETag changes with the live
    model.
    """
    set_etag(response, session.models.tag())
    return service.model_views(session, session.models.all())


@router.post("/models/rollback")
def roll_back(
    caller: Operator, session: SystemSessionDep, tags: IfMatch, reason: Why = None
) -> ModelView:
    """Make the previous live model live again. No gate judgement and no reason are needed."""
    digest = session.models.rollback(caller.actor, reason, tags)
    return service.model_view(session, digest)


@router.get("/models/{model_id}")
def read_model(
    model_id: str, caller: Operator, session: SystemSessionDep, response: Response
) -> ModelView:
    """Return a model by its digest, the beginning of its digest, or its name (newest version). The
    ETag changes with the live model.
    """
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
    """Make a model live. The model must have passed the gate against the current live model;
    otherwise a reason is required, and where there are several operators two of them have to sign
    in and do this, one after the other.

    Workers switch to it while they serve.
    """
    digest = session.models.find(model_id).digest
    try:
        session.models.promote(digest, caller.actor, reason, tags)
    except PromotionNeedsSecondOperator:
        session.transaction.commit()  # the proposal is on record
        raise
    return service.model_view(session, digest)


@router.get("/models/{model_id}/gate")
def read_gate(model_id: str, caller: Operator, session: SystemSessionDep) -> GateView:
    """Return the latest gate judgement of a model, with reasons, figures and a row for each
    site.
    """
    return service.gate_view(session, model_id)


@router.post("/models/{model_id}/gate", status_code=202)
def judge_again(
    model_id: str,
    caller: Operator,
    session: SystemSessionDep,
    dependencies: DependenciesDep,
) -> ModelView:
    """Request a new gate judgement of a model against the current live model. A trainer judges the
    model; afterwards the judgement is part of the model's view.
    """
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
    """Return the history of the live model, newest first: when, by whom and why it changed."""
    promotions = session.models.history(limit)
    return [service.promotion_view(promotion) for promotion in promotions]


@router.get("/workers")
def list_workers(caller: Operator, session: SystemSessionDep) -> list[WorkerView]:
    """Return the workers that are running, each with the model that it serves or refuses to
    serve.
    """
    workers = session.serving.present_workers()
    return [service.worker_view(worker) for worker in workers]


@router.post("/models/{model_id}/shadow", status_code=201)
def start_shadow(
    model_id: str,
    caller: Operator,
    session: SystemSessionDep,
    dependencies: DependenciesDep,
    request: ShadowRequest | None = None,
) -> ShadowView:
    """Start a shadow evaluation. From now on, the model also analyses the cases of the live
    model.
    """
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
    """Return the results of the shadow evaluation, compared with the live model and with known
    outcomes.
    """
    return service.shadow_report(session, model_id)


@router.delete("/shadow")
def stop_shadow(
    caller: Operator,
    session: SystemSessionDep,
    reason: Annotated[str | None, Query(max_length=2000)] = None,
) -> ShadowView:
    """End the running shadow evaluation. Its results remain stored."""
    ending = Message("shadow-stopped", {"reason": reason} if reason else {})
    return service.shadow_view(session.shadows.stop(ending))
