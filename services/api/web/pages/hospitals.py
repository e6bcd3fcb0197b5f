"""Hospitals and their settings: all for an operator, one's own for an administrator."""

from typing import Annotated

from fastapi import Path, Request
from fastapi.responses import HTMLResponse

from services.api.audit.service import AuditDesk, Question
from services.api.dependencies import Wiring, WiringDep
from services.api.hospitals.limits import ALPHAS, CASES, DAYS, PREVALENCES, WEIGHTS
from services.api.hospitals.schemas import HospitalChange, HospitalView, OperatorChange
from services.api.hospitals.service import HospitalDesk
from services.api.text import PlainText
from services.api.web.actors import names
from services.api.web.console import show_console
from services.api.web.shell import (
    PageAdministrator,
    PageOperator,
    SignedInVisitor,
    answering,
    pages,
)
from shared.domain.events import Event
from shared.domain.roles import Act
from shared.guidelines import RULES

router = pages()
WHOLE = ("rate_per_minute", "inflight_quota", "retention_days")
"""Settings that are counted."""


@router.get("/console/hospitals", response_class=HTMLResponse)
def hospitals_page(request: Request, visitor: PageOperator, wired: WiringDep) -> HTMLResponse:
    return show_console(
        request, visitor, "hospitals.html", hospitals=HospitalDesk(wired, visitor.caller).all()
    )


@router.get("/console/hospitals/{name:path}", response_class=HTMLResponse)
def hospital_page(
    request: Request, name: Annotated[PlainText, Path()], visitor: PageOperator, wired: WiringDep
) -> HTMLResponse:
    answering(visitor)
    desk = HospitalDesk(wired, visitor.caller)
    return _settings(request, visitor, wired, desk.read(desk.named(name)))


@router.get("/console/hospital", response_class=HTMLResponse)
def own_hospital_page(
    request: Request, visitor: PageAdministrator, wired: WiringDep
) -> HTMLResponse:
    answering(visitor)
    desk = HospitalDesk(wired, visitor.caller)
    return _settings(request, visitor, wired, desk.read(visitor.caller.hospital_id))


def _settings(
    request: Request, visitor: SignedInVisitor, wired: Wiring, hospital: HospitalView
) -> HTMLResponse:
    """The form of a hospital's settings, with the last change for whoever comes too late."""
    latest = AuditDesk(wired, visitor.caller).newest(
        Question(hospital.name, Event.HOSPITAL_CHANGED), None, 1
    )
    body = OperatorChange if visitor.may(Act.OPERATE) else HospitalChange
    facts = {"hospital": hospital, "latest": latest, "names": names(wired, visitor.caller)}
    facts |= {
        "allowed": list(body.model_fields),
        "rules": list(RULES),
        "bounds": bounds(wired),
        "whole": WHOLE,
    }
    return show_console(
        request, visitor, "hospital.html", own=not visitor.may(Act.OPERATE), **facts
    )


def bounds(wired: Wiring) -> dict[str, tuple[float, float]]:
    """From where to where each number may be set."""
    sensitivities = wired.settings.least_target_sensitivity, wired.settings.most_target_sensitivity
    limits = {"prevalence": PREVALENCES, "target_sensitivity": sensitivities, "refer_alpha": ALPHAS}
    return limits | {
        "rate_per_minute": CASES,
        "inflight_quota": CASES,
        "weight": WEIGHTS,
        "retention_days": DAYS,
    }
