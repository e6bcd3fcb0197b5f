"""Counts requests and measures their duration by route, binds a request id to the logs, and begins
the request's trace.

Metrics and logs name the template of a route, never the requested path, because a client may write
anything there.
"""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from prometheus_client import Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.observability import tracing
from shared.observability.logs import log
from shared.observability.metrics import REGISTRY

if TYPE_CHECKING:
    # Imported by `tracing` only if tracing is enabled.
    from opentelemetry.trace import Span

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
LABELS = ["method", "route"]
REQUESTS = Counter(
    "sera_http_requests_total",
    "Requests answered, by class of status.",
    [*LABELS, "status"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "sera_http_request_seconds",
    "Time to answer.",
    LABELS,
    buckets=BUCKETS_S,
    registry=REGISTRY,
)
IN_FLIGHT = Gauge(
    "sera_http_requests_in_flight", "Requests being answered.", registry=REGISTRY
)
REFUSALS = Counter(
    "sera_http_refusals_total",
    "Requests refused or failed, by code.",
    ["code"],
    registry=REGISTRY,
)


def route_of(scope: Scope) -> str:
    """Return the template of the route that handles the request."""
    return getattr(scope.get("route"), "path", "unmatched")


class TrafficMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began_at = time.perf_counter()
        status = 500
        request_id = str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_request_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            _span(scope, request_id) as span,
        ):
            IN_FLIGHT.inc()
            try:
                await self._app(scope, receive, send_with_request_id)
            finally:
                IN_FLIGHT.dec()
                seconds = time.perf_counter() - began_at
                _record(scope, status, seconds, span)


def _span(scope: Scope, request_id: str) -> AbstractContextManager["Span | None"]:
    """Open a span, in the client's trace if the client sends one. Probes and static files get no
    span.
    """
    if scope["path"] in PROBES or scope["path"].startswith("/static/"):
        return nullcontext()
    return tracing.span(
        "http.request", Headers(scope=scope).get("traceparent"), request_id=request_id
    )


def _record(scope: Scope, status: int, seconds: float, span: "Span | None") -> None:
    method = scope["method"] if scope["method"] in METHODS else "other"
    route = route_of(scope)
    REQUESTS.labels(method, route, f"{status // 100}xx").inc()
    SECONDS.labels(method, route).observe(seconds)
    caller = scope["state"].get("caller")
    hospital = {}
    if caller and caller.hospital_id:
        hospital["hospital"] = str(caller.hospital_id)
    if span:
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            }
        )
        span.set_attributes(hospital)
    if method in CHANGING or status >= 500:
        log().info(
            "request.answered",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000),
            **hospital,
        )
