"""Hospitals and their settings: all of them for an operator, their own for an administrator."""

from typing import Annotated

from fastapi import Path, Request
from fastapi.responses import HTMLResponse

from services.api.audit.service import AuditQuery, AuditService
from services.api.dependencies import CallerSession, DependenciesDep, hospital_id_of
from services.api.hospitals.schemas import HospitalChange, HospitalView, OperatorChange
from services.api.hospitals.service import HospitalService
from services.api.hospitals.validation import ALPHAS, CASES, DAYS, PREVALENCES, WEIGHTS
from services.api.text import PlainText
from services.api.web.actors import actor_names
from services.api.web.console import render_console
from services.api.web.page import (
    PageAdministrator,
    PageCallerSessionDep,
    PageOperator,
    PageSystemSessionDep,
    SignedInVisitor,
    page_router,
)
from shared.domain.audit.events import Event
from shared.domain.burnt_in_text import TextPolicy
from shared.domain.reader_first import ReaderFirst
from shared.domain.roles import Permission
from shared.guidelines import RULES
from shared.settings import Settings

router = page_router()
INTEGER_SETTINGS = ("rate_per_minute", "inflight_quota", "retention_days")
"""Settings with whole numbers."""


@router.get("/console/hospitals", response_class=HTMLResponse)
def hospitals_page(
    request: Request,
    visitor: PageOperator,
    session: PageSystemSessionDep,
    dependencies: DependenciesDep,
) -> HTMLResponse:
    hospitals = HospitalService(session, dependencies.settings).all()
    return render_console(request, visitor, "hospitals.html", hospitals=hospitals)


@router.get("/console/hospitals/{name:path}", response_class=HTMLResponse)
def hospital_page(
    request: Request,
    name: Annotated[PlainText, Path()],
    visitor: PageOperator,
    session: PageSystemSessionDep,
    dependencies: DependenciesDep,
) -> HTMLResponse:
    service = HospitalService(session, dependencies.settings)
    hospital = service.read(service.find_id(name))
    return _render_settings(request, visitor, session, dependencies.settings, hospital)


@router.get("/console/hospital", response_class=HTMLResponse)
def own_hospital_page(
    request: Request,
    visitor: PageAdministrator,
    system_session: PageSystemSessionDep,
    session: PageCallerSessionDep,
    dependencies: DependenciesDep,
) -> HTMLResponse:
    service = HospitalService(system_session, dependencies.settings)
    hospital = service.read(hospital_id_of(visitor.caller))
    return _render_settings(request, visitor, session, dependencies.settings, hospital)


def _render_settings(
    request: Request,
    visitor: SignedInVisitor,
    session: CallerSession,
    settings: Settings,
    hospital: HospitalView,
) -> HTMLResponse:
    """The form of a hospital's settings.

    The last change is shown to somebody whose own change was overtaken by it.
    """
    query = AuditQuery(hospital=hospital.name, event=Event.HOSPITAL_CHANGED)
    body = OperatorChange if visitor.may(Permission.OPERATE) else HospitalChange
    return render_console(
        request,
        visitor,
        "hospital.html",
        own=not visitor.may(Permission.OPERATE),
        hospital=hospital,
        latest=AuditService(session, visitor.caller).newest(query, None, 1),
        actor_names=actor_names(session, visitor.caller),
        allowed=list(body.model_fields),
        choices={
            "fna_rule": list(RULES),
            "blank_text": list(TextPolicy),
            "reader_first": list(ReaderFirst),
        },
        bounds=bounds(settings),
        integer_settings=INTEGER_SETTINGS,
    )


def bounds(settings: Settings) -> dict[str, tuple[float, float]]:
    """The bounds (low, high) of each numeric setting."""
    return {
        "prevalence": PREVALENCES,
        "target_sensitivity": (
            settings.least_target_sensitivity,
            settings.most_target_sensitivity,
        ),
        "refer_alpha": ALPHAS,
        "rate_per_minute": CASES,
        "inflight_quota": CASES,
        "weight": WEIGHTS,
        "retention_days": DAYS,
    }
