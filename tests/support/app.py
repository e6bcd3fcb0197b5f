"""The gateway for tests, which build it hundreds of times in a process: every app of the process
has the same routes and the same decoder processes.

FastAPI works out a route's parameters and models when an app is first asked for it, and for each
app anew, and so it does the OpenAPI document, which takes a second. Together that took half of the
time of the gateway's tests. What differs between apps is in their state and their middleware. A
decoder process takes a second to start.
"""

import atexit
from collections.abc import Mapping
from functools import cache
from typing import Any
from unittest.mock import patch

from fastapi import APIRouter, FastAPI

from services.api import app as gateway
from shared.cases.decoder_pool import PROCESS_COUNT
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
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
    with (
        patch.object(FastAPI, "include_router", _include_router),
        patch.object(gateway, "open_sandbox", _open_sandbox),
    ):
        app = gateway.create_app(settings)
    app.openapi = openapi_document
    return app


class SharedSandbox(SandboxPool):
    """Processes that outlive each app and end with the process of the tests."""

    def close(self) -> None:
        """Called by an app that stops."""


def _open_sandbox(settings: Settings) -> SandboxPool:
    bounds = Bounds(seconds=settings.decode_s, memory_mib=settings.decode_mib)
    return shared_sandbox(bounds)


@cache
def shared_sandbox(bounds: Bounds) -> SandboxPool:
    sandbox = SharedSandbox(bounds, PROCESS_COUNT)
    atexit.register(SandboxPool.close, sandbox)
    return sandbox


def _include_router(
    app: FastAPI, router: APIRouter, responses: Mapping[int | str, Any] | None = None
) -> None:
    key = (id(router), id(responses))
    if key not in _included:
        _included[key] = APIRouter()
        _included[key].include_router(router, responses=responses)
    app.router.routes.extend(_included[key].routes)
