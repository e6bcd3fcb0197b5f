"""Route of the printable report of a case."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.api.dependencies import (
    DependenciesDep,
    HospitalReader,
    HospitalSessionDep,
)
from services.api.locales import Language
from services.api.reports.facts import gather
from services.api.reports.zones import zone_named
from services.api.route_pools import RoutePool, hold_place
from services.api.strict_requests import StrictRoute

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["cases"])
PDF = "application/pdf"
ZONE = (
    "Time zone of the report's times by IANA name (`Asia/Seoul`). UTC if omitted or unknown to "
    "the server."
)


@router.get(
    "/cases/{case_id}/report.pdf",
    response_class=Response,
    responses={200: {"content": {PDF: {}}}},
    dependencies=[hold_place(RoutePool.REPORTS)],
)
def report(
    case_id: UUID,
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
    language: Annotated[
        Language, Query(description="Language of the report.")
    ] = Language.ENGLISH,
    zone: Annotated[str | None, Query(max_length=64, description=ZONE)] = None,
) -> Response:
    """Return the report of a case with a result as a PDF of one or two pages. The audit trail
    records each printed report.
    """
    # Imported here because fpdf takes 0.25 s to import, and most gateways do not print a report for
    # a long time.
    from services.api.reports.layout import pdf

    disposition = f'inline; filename="sera-{case_id}.pdf"'
    report = gather(
        session,
        caller,
        dependencies,
        case_id=case_id,
        language=language,
        zone=zone_named(zone),
    )
    headers = {"Content-Disposition": disposition}
    return Response(pdf(report), media_type=PDF, headers=headers)
