"""Hospitals and their settings: all for an operator, one's own for an administrator."""

from typing import Annotated

from fastapi import Path, Request
from fastapi.responses import HTMLResponse

from services.api.audit.service import AuditService, AuditQuery
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
    pages,
)
from shared.domain.audit.events import Event
from shared.domain.roles import Permission
from shared.guidelines import RULES
from shared.settings import Settings

router = pages()
WHOLE = ("rate_per_minute", "inflight_quota", "retention_days")
"""Settings that are counted."""


@router.get("/console/hospitals", response_class=HTMLResponse)
def hospitals_page(
    request: Request,
    visitor: PageOperator,
    session: PageSystemSessionDep,
    wired: DependenciesDep,
) -> HTMLResponse:
    hospitals = HospitalService(session, wired.settings).all()
    return render_console(request, visitor, "hospitals.html", hospitals=hospitals)


@router.get("/console/hospitals/{name:path}", response_class=HTMLResponse)
def hospital_page(
    request: Request,
    name: Annotated[PlainText, Path()],
    visitor: PageOperator,
    session: PageSystemSessionDep,
    wired: DependenciesDep,
) -> HTMLResponse:
    service = HospitalService(session, wired.settings)
    hospital = service.read(service.named(name))
    return _settings(request, visitor, session, wired.settings, hospital)


@router.get("/console/hospital", response_class=HTMLResponse)
def own_hospital_page(
    request: Request,
    visitor: PageAdministrator,
    system_session: PageSystemSessionDep,
    session: PageCallerSessionDep,
    wired: DependenciesDep,
) -> HTMLResponse:
    service = HospitalService(system_session, wired.settings)
    hospital = service.read(hospital_id_of(visitor.caller))
    return _settings(request, visitor, session, wired.settings, hospital)


def _settings(
    request: Request,
    visitor: SignedInVisitor,
    session: CallerSession,
    settings: Settings,
    hospital: HospitalView,
) -> HTMLResponse:
    """The form of a hospital's settings, with the last change for whoever comes too late."""
    question = AuditQuery(hospital=hospital.name, event=Event.HOSPITAL_CHANGED)
    body = OperatorChange if visitor.may(Permission.OPERATE) else HospitalChange
    return render_console(
        request,
        visitor,
        "hospital.html",
        own=not visitor.may(Permission.OPERATE),
        hospital=hospital,
        latest=AuditService(session, visitor.caller).newest(question, None, 1),
        names=actor_names(session, visitor.caller),
        allowed=list(body.model_fields),
        rules=list(RULES),
        bounds=bounds(settings),
        whole=WHOLE,
    )


def bounds(settings: Settings) -> dict[str, tuple[float, float]]:
    """From where to where each number may be set."""
    sensitivities = settings.least_target_sensitivity, settings.most_target_sensitivity
    limits = {
        "prevalence": PREVALENCES,
        "target_sensitivity": sensitivities,
        "refer_alpha": ALPHAS,
    }
    return limits | {
        "rate_per_minute": CASES,
        "inflight_quota": CASES,
        "weight": WEIGHTS,
        "retention_days": DAYS,
    }
