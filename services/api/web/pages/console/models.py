"""Models: validation, comparison with the live model, shadow evaluation, promotion, rollback."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.locales import message_text
from services.api.models import service
from services.api.models.schemas import GateView, ModelView, ShadowReport
from services.api.web.actors import actor_names
from services.api.web.console import render_console
from services.api.web.page import (
    PageOperator,
    PageSystemSessionDep,
    Visitor,
    page_router,
)
from services.api.web.plots import models as plots_models
from services.api.web.plots.models import FigureText
from shared.ledger import SystemSession
from shared.ledger.models.promotions import MIN_REASON_CHARACTERS, objection
from shared.ledger.models.shadows import ShadowAbsent

router = page_router()
SIDES = ("candidate", "live")
UNKNOWN_SITE = "(no site)"
"""The name under which a judgement stores images without a site: `NO_SITE` of the gate."""


@router.get("/console/models", response_class=HTMLResponse)
def models_page(
    request: Request, visitor: PageOperator, session: PageSystemSessionDep
) -> HTMLResponse:
    return render_console(
        request,
        visitor,
        "models.html",
        models=service.model_views(session, session.models.all()),
        proposals=session.models.proposals(),
        history=[service.promotion_view(row) for row in session.models.history()],
        workers=[service.worker_view(row) for row in session.serving.present_workers()],
        rollback_target=rollback_target(session),
        actor_names=actor_names(session, visitor.caller),
    )


@router.get("/console/models/{model_id}", response_class=HTMLResponse)
def model_page(
    request: Request,
    model_id: str,
    visitor: PageOperator,
    session: PageSystemSessionDep,
) -> HTMLResponse:
    model = service.model_view(session, model_id)
    live_digest = session.models.live_digest()
    latest = session.gate_judgements.latest(model.digest)
    gate = service.gate_view(session, model.digest) if latest else None
    promotion_objection = objection(latest, live_digest)
    return render_console(
        request,
        visitor,
        "model.html",
        model=model,
        proposals=[
            proposal
            for proposal in session.models.proposals()
            if proposal.model_digest == model.digest
        ],
        actor_names=actor_names(session, visitor.caller),
        live=session.models.find(live_digest) if live_digest else None,
        gate=gate,
        compared_with=_model_name(session, latest.live_digest) if latest else None,
        shadow=_shadow(session, model),
        workers=[service.worker_view(row) for row in session.serving.present_workers()],
        min_reason_characters=MIN_REASON_CHARACTERS,
        objection=message_text(promotion_objection) if promotion_objection else None,
        figures=gate_figures(gate, visitor),
        unknown_site=UNKNOWN_SITE,
    )


def rollback_target(session: SystemSession) -> ModelView | None:
    """The model that a rollback makes live."""
    promotion_stack = session.models.promotion_stack()
    if len(promotion_stack) < 2:
        return None
    return service.model_view(session, promotion_stack[1])


def gate_figures(gate: GateView | None, visitor: Visitor) -> dict[str, str]:
    """Figures of a judgement as SVG. Empty if the judgement stores no data for them."""
    sides = evaluations(gate)
    if not sides:
        return {}
    curves = {name: side["roc"] for name, side in sides.items()}
    bins = {
        name: side["calibration"] for name, side in sides.items() if side["calibration"]
    }
    return {
        "roc": plots_models.roc(curves, _figure_text("roc", visitor)),
        "calibration": plots_models.calibration(
            bins, _figure_text("calibration", visitor)
        ),
    }


def evaluations(gate: GateView | None) -> dict[str, Any]:
    """The evaluation of each side that the judgement has one of."""
    figures = gate.figures if gate else {}
    evaluation_by_side: dict[str, Any] = {}
    for name in SIDES:
        evaluation = (figures.get(name) or {}).get("evaluation")
        if evaluation:
            evaluation_by_side[name] = evaluation
    return evaluation_by_side


def _figure_text(key: str, visitor: Visitor) -> FigureText:
    return plots_models.figure_text(visitor.translations, f"models.{key}", key)


def _model_name(session: SystemSession, digest: str | None) -> str | None:
    if digest is None:
        return None
    model = session.models.find(digest)
    return f"{model.name}/{model.version}"


def _shadow(session: SystemSession, model: ModelView) -> ShadowReport | None:
    try:
        return service.shadow_report(session, model.digest)
    except ShadowAbsent:
        return None
