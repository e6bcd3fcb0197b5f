"""The report of a case, to be printed or kept."""

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

router = APIRouter(prefix="/v1", tags=["cases"])
PDF = "application/pdf"
ZONE = "In whose hours it is written, by IANA name (`Asia/Seoul`); UTC without, and where the name is not known here."


@router.get(
    "/cases/{case_id}/report.pdf",
    response_class=Response,
    responses={200: {"content": {PDF: {}}}},
)
def report(
    case_id: UUID,
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
    language: Annotated[
        Language, Query(description="What it is written in.")
    ] = Language.ENGLISH,
    zone: Annotated[str | None, Query(max_length=64, description=ZONE)] = None,
) -> Response:
    """A done case on one or two pages; each printing is on record."""
    # Here, for fpdf takes a quarter of a second to import, and most gateways print nothing for a long time.
    from services.api.reports.layout import pdf

    name = f'inline; filename="sera-{case_id}.pdf"'
    report = gather(
        session,
        caller,
        dependencies,
        case_id=case_id,
        language=language,
        zone=zone_named(zone),
    )
    return Response(pdf(report), media_type=PDF, headers={"Content-Disposition": name})
