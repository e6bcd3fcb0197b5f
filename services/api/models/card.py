"""A model's card, as JSON and as a page. Whoever has a key may read it: the readers, the hospitals, the auditors."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from services.api.dependencies import CallerDep, SystemSessionDep
from services.api.middleware.security_headers import DENY_ALL
from shared.cards import render

router = APIRouter(prefix="/v1", tags=["models"])
POLICY = f"{DENY_ALL}; style-src 'unsafe-inline'"
"""The page brings its own style, and nothing else is fetched or run."""


def card(model_id: str, caller: CallerDep, session: SystemSessionDep) -> dict[str, Any]:
    """The card, with the name it is stored under and whether it answers now."""
    model = session.models.find(model_id)
    stored = {"name": f"{model.name}/{model.version}", "live": model.live}
    return session.model_metadata.card(model.digest) | {"stored": stored}


Card = Annotated[dict[str, Any], Depends(card)]


@router.get("/models/{model_id}/card")
def read_card(card: Card) -> dict[str, Any]:
    """What the model is for, made from, worth and not worth; by digest, a start of it, or a name (its newest)."""
    return card


@router.get("/models/{model_id}/card.html", response_class=HTMLResponse)
def read_card_page(card: Card) -> HTMLResponse:
    """The same as one page that fetches nothing."""
    return HTMLResponse(render(card), headers={"Content-Security-Policy": POLICY})
