"""Routes for operation: liveness, readiness, and metrics for Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from services.api.dependencies import DependenciesDep, TransactionDep
from services.api.errors import PROBLEM
from services.api.middleware.authentication import authenticate_header
from services.api.monitoring import readiness
from services.api.monitoring.prometheus.page import metrics_page
from services.api.strict_requests import StrictRoute
from shared.domain.roles import Role
from shared.errors import Forbidden, Unauthenticated
from shared.ledger.hospitals.repository import Caller
from shared.security.metrics_access import MetricsAccess


class MetricsClosed(Unauthenticated):
    code = "metrics-closed"
    text = (
        "Metrics are not shown to strangers. Send `Authorization: Bearer KEY` with the key of "
        "SERA_METRICS_KEY, or with the key of an operator or auditor."
    )


router = APIRouter(route_class=StrictRoute, tags=["monitoring"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Respond if the process is alive. No other service is checked."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    responses={
        503: {"description": "An engine is unavailable; cases cannot be accepted."}
    },
)
async def readyz(dependencies: DependenciesDep) -> JSONResponse:
    """Report whether cases can be accepted, that is, whether the database and the object store
    respond. The answer comes within 2 s.

    `degraded` lists faults with which cases are still accepted, but their analysis is delayed or
    prevented.
    """
    checks, faults = await readiness.read_readiness(dependencies)
    ready = all(state == "ok" for state in checks.values())
    degraded = faults if ready else {}
    body = {"ready": ready, "checks": checks, "degraded": degraded}
    return JSONResponse(body, status_code=200 if ready else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={"4XX": PROBLEM, 200: {"content": {CONTENT_TYPE_LATEST: {}}}},
)
def metrics(
    dependencies: DependenciesDep,
    transaction: TransactionDep,
    authorization: Annotated[str | None, Header()] = None,
) -> Response:
    """Prometheus text: requests, queue, results by decision, workers, training, the audit trail's
    age, checks.

    It needs the key of the metrics (`SERA_METRICS_KEY`), or the key of an operator or auditor. With
    the latter the page also contains the queue, results and drift of each hospital, and the models'
    names. Otherwise they are left out, because the hospitals decide whether others may know that
    they use SERA and how much. A gateway that is not in production, has no key of the metrics and
    listens on its own machine alone answers without a key.
    """
    access = MetricsAccess(dependencies.settings, dependencies.settings.host)
    if authorization is None and not access.is_open:
        raise MetricsClosed
    is_named = authorization is not None and not access.has_key(authorization)
    if is_named:
        check_sees_all(authenticate_header(transaction, authorization or ""))
        transaction.commit()
    page = metrics_page(dependencies, named=is_named)
    return Response(page, media_type=CONTENT_TYPE_LATEST)


def check_sees_all(caller: Caller) -> None:
    """Raise Forbidden for a caller of one hospital."""
    if caller.hospital_id is not None:
        raise Forbidden(role=caller.role, needed=f"{Role.OPERATOR} or {Role.AUDITOR}")
