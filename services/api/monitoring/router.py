"""Is it alive, can it take cases, how much waits."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.api.dependencies import Wiring, WiringDep
from services.api.doorman import by_key
from services.api.errors import PROBLEM
from services.api.monitoring import gauges
from services.api.monitoring.traffic import REGISTRY
from shared.domain.roles import Role
from shared.errors import Forbidden, Unavailable
from shared.ledger.hospitals import Caller
from shared.space import check_space


class Stalled(Unavailable):
    code = "stalled"
    text = (
        "Cases have waited for over {after_s:g} s and none was answered. See the workers' logs, and whether a model is "
        "live: `./sera models list`."
    )


router = APIRouter(tags=["monitoring"])
ABSENT = "0" * 64
"""A hash nothing has; asking for it shows that the store answers."""


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "An engine is away; cases cannot be taken."}})
def readyz(wired: WiringDep) -> JSONResponse:
    """The database and the object store answer, so that a case can be taken.

    `degraded` names what does not keep cases from being taken, but from being answered as they should.
    """
    stored = partial(wired.objects.exists, ABSENT)
    checks = {"database": _state(wired.ledger.ping), "objects": _state(stored)}
    ready = all(state == "ok" for state in checks.values())
    impaired = _impaired(wired) if ready else {}
    degraded = {name: state for name, state in impaired.items() if state != "ok"}
    return JSONResponse({"ready": ready, "checks": checks, "degraded": degraded}, 200 if ready else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={"4XX": PROBLEM, 200: {"content": {CONTENT_TYPE_LATEST: {}}}},
)
def metrics(wired: WiringDep, authorization: Annotated[str | None, Header()] = None) -> Response:
    """Prometheus text: requests, jobs by state, results by decision.

    With an operator's or auditor's key also each hospital's results and drift: which hospitals take part, and how
    much, is theirs to tell, so that no stranger reads it.
    """
    parts = [generate_latest(REGISTRY), gauges.jobs(wired), gauges.results(wired), gauges.retention(wired)]
    if authorization is not None:
        check_sees_all(by_key(wired.ledger, authorization))
        parts.append(gauges.hospitals(wired))
    return Response(b"".join(parts), media_type=CONTENT_TYPE_LATEST)


def _impaired(wired: Wiring) -> dict[str, str]:
    return {
        "broker": _state(wired.doorbell.check),
        "workers": _state(partial(check_work, wired)),
        "space": _state(partial(check_space, wired.settings)),
    }


def check_work(wired: Wiring) -> None:
    """Raises Stalled if cases wait and none is being answered."""
    with wired.ledger.whole("gateway") as house:
        progress, waited_s = house.queue.progress(), house.liveness.waited_s()
    if replace(progress, oldest_queued_s=waited_s).stalled(wired.settings.stalled_after_s):
        raise Stalled(after_s=wired.settings.stalled_after_s)


def check_sees_all(who: Caller) -> None:
    if who.hospital_id is not None:
        raise Forbidden(role=who.role, needed=f"{Role.OPERATOR} or {Role.AUDITOR}")


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except Unavailable as error:
        return str(error)
    return "ok"
