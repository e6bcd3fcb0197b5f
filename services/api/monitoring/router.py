"""Is it alive, can it take cases, how much waits."""

from collections.abc import Callable
from functools import partial

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from services.api.dependencies import WiringDep
from services.api.monitoring.traffic import REGISTRY
from shared.errors import Unavailable

router = APIRouter(tags=["monitoring"])
ABSENT = "0" * 64
"""A hash nothing has; asking for it shows that the store answers."""


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "An engine is away; cases cannot be taken."}})
def readyz(wired: WiringDep) -> JSONResponse:
    """The database and the object store answer, so that a case can be taken."""
    stored = partial(wired.objects.exists, ABSENT)
    checks = {"database": _state(wired.ledger.ping), "objects": _state(stored)}
    ready = all(state == "ok" for state in checks.values())
    return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)


@router.get("/metrics", response_class=Response)
def metrics(wired: WiringDep) -> Response:
    """Prometheus text: requests, and jobs by state."""
    with wired.ledger.whole("gateway") as house:
        depth = house.queue.depth()
    now = CollectorRegistry()
    gauge = Gauge("sera_jobs", "Jobs not yet final, by state.", ["state"], registry=now)
    for state, jobs in depth.items():
        gauge.labels(state).set(jobs)
    return Response(generate_latest(REGISTRY) + generate_latest(now), media_type=CONTENT_TYPE_LATEST)


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except Unavailable as error:
        return str(error)
    return "ok"
