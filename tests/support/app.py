"""The gateway for tests, which build it hundreds of times in a process: every app of the process
has the same routes.

FastAPI works out a route's parameters and models when an app is first asked for it, and for each
app anew, and so it does the OpenAPI document, which takes a second. Together that took half of the
time of the gateway's tests. What differs between apps is in their state and their middleware.
"""

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from fastapi import APIRouter, FastAPI

from services.api import app as gateway
from shared.settings import Settings
from tests.support.routes import openapi_document

_included: dict[tuple[int, int], APIRouter] = {}
"""By the router and the responses that it is included with, both of which live as long as the
process.
"""


def create_app(settings: Settings) -> FastAPI:
    """As the gateway's own, with routes that are made once in a process, and a document that is
    made once in a run.
    """
    with patch.object(FastAPI, "include_router", _include_router):
        app = gateway.create_app(settings)
    app.openapi = openapi_document
    return app


def _include_router(
    app: FastAPI, router: APIRouter, responses: Mapping[int | str, Any] | None = None
) -> None:
    key = (id(router), id(responses))
    if key not in _included:
        _included[key] = APIRouter()
        _included[key].include_router(router, responses=responses)
    app.router.routes.extend(_included[key].routes)
