"""Routes of model cards, as JSON and as a page. Every caller may read model cards."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from services.api.dependencies import CallerDep, SystemSessionDep
from services.api.middleware.security_headers import DENY_ALL
from services.api.strict_requests import StrictRoute
from shared.cards import render
from shared.ledger.models.gate_judgements import GateJudgement

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["models"])
GATE_RATES = ("sensitivity", "specificity")
POLICY = f"{DENY_ALL}; style-src 'unsafe-inline'"
"""The page contains its own style; nothing else is fetched or run."""


def card(model_id: str, caller: CallerDep, session: SystemSessionDep) -> dict[str, Any]:
    """Return the card, with the name under which the model is stored, whether it is live, and how it
    did on the locked test set.
    """
    model = session.models.find(model_id)
    stored = {"name": f"{model.name}/{model.version}", "live": model.live}
    judgement = session.gate_judgements.latest(model.digest)
    gate = None if judgement is None else gate_figures(judgement)
    return session.model_metadata.card(model.digest) | {"stored": stored, "gate": gate}


def gate_figures(judgement: GateJudgement) -> dict[str, Any]:
    """Return the figures of a judgement that every caller may read.

    Hospitals are not named: the figures of one are for operators and auditors only.
    """
    figures = judgement.figures
    candidate = figures.get("candidate") or {}
    evaluation = candidate.get("evaluation") or {}
    sites = [
        {name: value for name, value in row.items() if name != "site"}
        for row in figures.get("sites", [])
    ]
    sites.sort(key=lambda row: row["images"], reverse=True)
    return {
        "verdict": judgement.verdict.value,
        "at": judgement.created_at.isoformat(timespec="seconds"),
        **{name: figures.get(name) for name in ("images", "malignant", "patients")},
        **{name: candidate.get(name) for name in ("auc", *GATE_RATES)},
        "sizes": evaluation.get("sizes", []),
        "sites": sites,
        "roi_kinds": figures.get("roi_kinds", []),
    }


Card = Annotated[dict[str, Any], Depends(card)]


@router.get("/models/{model_id}/card")
def read_card(card: Card) -> dict[str, Any]:
    """Return purpose, training data, performance and limits of a model. The model is named by its
    digest, the beginning of its digest, or its name.
    """
    return card


@router.get("/models/{model_id}/card.html", response_class=HTMLResponse)
def read_card_page(card: Card) -> HTMLResponse:
    """Return the model card as one page that loads no other resources."""
    return HTMLResponse(render(card), headers={"Content-Security-Policy": POLICY})
