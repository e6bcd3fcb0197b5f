"""Models: judged, compared with the live one, tried in the shadow, promoted, taken back."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.locales import message_text
from services.api.models import service
from services.api.models.schemas import GateView, ModelView
from services.api.web.actors import actor_names
from services.api.web.console import render_console
from services.api.web.page import PageOperator, PageSystemSessionDep, Visitor, pages
from services.api.web.plots import models as plots_models
from services.api.web.plots.models import Legend
from shared.ledger import SystemSession
from shared.ledger.models.promotions import MIN_REASON_CHARACTERS, objection
from shared.ledger.models.shadows import ShadowAbsent

router = pages()
SIDES = ("candidate", "live")


@router.get("/console/models", response_class=HTMLResponse)
def models_page(
    request: Request, visitor: PageOperator, session: PageSystemSessionDep
) -> HTMLResponse:
    return render_console(
        request,
        visitor,
        "models.html",
        models=service.views(session, session.models.all()),
        history=[service.promotion(row) for row in session.models.history()],
        workers=[service.worker(row) for row in session.serving.present_workers()],
        before=before(session),
        names=actor_names(session, visitor.caller),
    )


@router.get("/console/models/{model_id}", response_class=HTMLResponse)
def model_page(
    request: Request,
    model_id: str,
    visitor: PageOperator,
    session: PageSystemSessionDep,
) -> HTMLResponse:
    model = service.view(session, model_id)
    live = session.models.live_digest()
    latest = session.gate_judgements.latest(model.digest)
    gate = service.gate(session, model.digest) if latest else None
    against = objection(latest, live)
    return render_console(
        request,
        visitor,
        "model.html",
        model=model,
        live=session.models.find(live) if live else None,
        gate=gate,
        against=_named(session, latest.live_digest) if latest else None,
        shadow=_shadow(session, model),
        workers=[service.worker(row) for row in session.serving.present_workers()],
        least_reason=MIN_REASON_CHARACTERS,
        objection=message_text(against) if against else None,
        drawn=drawn(gate, visitor),
    )


def before(session: SystemSession) -> ModelView | None:
    """The model that a rollback leads to."""
    standing = session.models.promotion_stack()
    return service.view(session, standing[1]) if len(standing) > 1 else None


def drawn(gate: GateView | None, visitor: Visitor) -> dict[str, str]:
    """The figures of a judgement; none of one that was made before they were kept."""
    sides = evaluated(gate)
    if not sides:
        return {}
    curves = {name: side["roc"] for name, side in sides.items()}
    bins = {
        name: side["calibration"] for name, side in sides.items() if side["calibration"]
    }
    return {
        "roc": plots_models.roc(curves, _legend("roc", visitor)),
        "calibration": plots_models.calibration(bins, _legend("calibration", visitor)),
    }


def evaluated(gate: GateView | None) -> dict[str, Any]:
    """What is drawn of each side that was there."""
    figures = gate.figures if gate else {}
    told = {name: (figures.get(name) or {}).get("evaluation") for name in SIDES}
    return {name: side for name, side in told.items() if side}


def _legend(key: str, visitor: Visitor) -> Legend:
    return Legend(
        key,
        *(
            visitor.translations(f"models.{key}.{name}")
            for name in ("title", "desc", "x", "y")
        ),
    )


def _named(session: SystemSession, digest: str | None) -> str | None:
    if digest is None:
        return None
    model = session.models.find(digest)
    return f"{model.name}/{model.version}"


def _shadow(session: SystemSession, model: ModelView) -> Any:
    try:
        return service.shadow_report(session, model.digest)
    except ShadowAbsent:
        return None
