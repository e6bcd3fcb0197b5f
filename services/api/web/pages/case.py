"""A case: how far it is while it waits, and what SERA says when it is read."""

from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.cases.schemas import CaseView
from services.api.cases.service import CaseService
from services.api.cases.similar import similar
from services.api.dependencies import DependenciesDep
from services.api.jobs.service import JobService
from services.api.reports import sentences
from services.api.reports.facts import SYNTHETIC
from services.api.reports.sentences import Say, speaker
from services.api.web.page import (
    PageHospitalSessionDep,
    PageReader,
    Visitor,
    pages,
    show,
)
from services.api.web.plots import case as plots_case
from shared.domain.results.result import Result
from shared.domain.roles import Permission

router = pages()
NEAREST = 6
"""Past cases that are shown beside a result."""


@router.get("/cases/{case_id}", response_class=HTMLResponse)
def case_page(
    request: Request,
    case_id: UUID,
    visitor: PageReader,
    session: PageHospitalSessionDep,
    wired: DependenciesDep,
) -> HTMLResponse:
    caller = visitor.caller
    say = speaker(visitor.language)
    case = CaseService(session, caller, wired.read_audit).read(case_id)
    job = JobService(session, caller, wired).read(case.jobs[-1])
    facts = {
        "case": case,
        "job": job,
        "say": say,
        "sentences": sentences,
        **rights(visitor),
    }
    if job.result:
        facts |= result_facts(say, case, job.result)
        facts |= {
            "similar": similar(session, caller, wired.read_audit, case_id, NEAREST)
        }
    return show(request, visitor, "case.html", **facts)


def rights(visitor: Visitor) -> dict[str, bool]:
    """Which buttons this person gets."""
    return {"may_submit": visitor.may(Permission.SUBMIT), "may_rerun": visitor.may(Permission.RERUN)}


def result_facts(say: Say, case: CaseView, result: Result) -> dict[str, Any]:
    """A result, with what is drawn of it."""
    found = {"box": result.roi.box} if result.roi else None
    return {
        "result": result,
        "found": found,
        "synthetic": result.warns(SYNTHETIC),
        "warnings": [
            sentences.warning(say, warning)
            for warning in result.warnings
            if warning.code != SYNTHETIC
        ],
        "scale": plots_case.scale(say, result),
        "outline": plots_case.outline(
            case.roi or found, case.image["width"], case.image["height"]
        ),
    }
