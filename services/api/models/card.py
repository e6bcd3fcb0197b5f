"""Routes of model cards, as JSON and as a page. Every caller may read model cards."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from services.api.dependencies import CallerDep, SystemSessionDep
from services.api.middleware.security_headers import DENY_ALL
from services.api.strict_requests import StrictRoute
from shared.cards import render

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["models"])
POLICY = f"{DENY_ALL}; style-src 'unsafe-inline'"
"""The page contains its own style; nothing else is fetched or run."""


def card(model_id: str, caller: CallerDep, session: SystemSessionDep) -> dict[str, Any]:
    """Return the card, with the name under which the model is stored and whether it is live."""
    model = session.models.find(model_id)
    stored = {"name": f"{model.name}/{model.version}", "live": model.live}
    return session.model_metadata.card(model.digest) | {"stored": stored}


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
