"""Is it alive, can it take cases, how much waits."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from services.api.dependencies import DependenciesDep, TransactionDep
from services.api.errors import PROBLEM
from services.api.middleware.authentication import authenticate_header
from services.api.monitoring import readiness
from services.api.monitoring.prometheus.page import metrics_page
from shared.domain.roles import Role
from shared.errors import Forbidden
from shared.ledger.hospitals.repository import Caller

router = APIRouter(tags=["monitoring"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    responses={503: {"description": "An engine is away; cases cannot be taken."}},
)
def readyz(dependencies: DependenciesDep) -> JSONResponse:
    """The database and the object store answer, so that a case can be taken.

    `degraded` names what does not keep cases from being taken, but from being answered as they should.
    """
    checks = readiness.required_checks(dependencies)
    ready = all(state == "ok" for state in checks.values())
    degraded = readiness.degraded_checks(dependencies) if ready else {}
    return JSONResponse(
        {"ready": ready, "checks": checks, "degraded": degraded}, 200 if ready else 503
    )


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
    """Prometheus text: requests, queue, results by decision, workers, training, the audit trail's age, checks.

    With an operator's or auditor's key also each hospital's queue, results and drift, and the models' names: which
    hospitals take part, and how much, is theirs to tell, so that no stranger reads it.
    """
    if authorization is not None:
        check_sees_all(authenticate_header(transaction, authorization))
        transaction.commit()
    return Response(
        metrics_page(dependencies, named=authorization is not None), media_type=CONTENT_TYPE_LATEST
    )


def check_sees_all(who: Caller) -> None:
    if who.hospital_id is not None:
        raise Forbidden(role=who.role, needed=f"{Role.OPERATOR} or {Role.AUDITOR}")
