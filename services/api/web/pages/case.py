"""The page of a case: its progress while it waits, its result when it is read."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.cases.reader_level import own_guideline
from services.api.cases.schemas import CaseView
from services.api.cases.service import CaseService
from services.api.cases.similar import similar
from services.api.dependencies import DependenciesDep
from services.api.jobs.service import JobService
from services.api.reports import sentences
from services.api.reports.sentences import Translate, translator
from services.api.web.page import (
    PageHospitalSessionDep,
    PageReader,
    Visitor,
    page_router,
    render,
)
from services.api.web.plots import case as plots_case
from shared.domain.results.result import Result
from shared.domain.results.roi_source import RoiSource
from shared.domain.results.statement import SYNTHETIC_MODEL, statement_of
from shared.domain.roles import Permission
from shared.guidelines import TERMS_BY_FIELD, Focus

router = page_router()
NEAREST = 6
"""Number of similar past cases on the page."""


@router.get("/cases/{case_id}", response_class=HTMLResponse)
def case_page(
    request: Request,
    case_id: UUID,
    visitor: PageReader,
    session: PageHospitalSessionDep,
    dependencies: DependenciesDep,
) -> HTMLResponse:
    caller = visitor.caller
    say = translator(visitor.language)
    case = CaseService(session, caller, dependencies.read_audit).read(case_id)
    job = JobService(session, caller, dependencies).read(case.jobs[-1])
    facts: dict[str, Any] = {
        "case": case,
        "job": job,
        "say": say,
        "sentences": sentences,
        "picture_hint": "outlined" if case.roi else "plain",
        **permissions(visitor),
    }
    if job.withheld:
        facts |= {
            "guideline": own_guideline(session, dependencies.settings),
            "lexicon": TERMS_BY_FIELD,
            "foci": Focus,
        }
    if job.result:
        facts |= result_facts(say, case, job.result)
        facts |= {
            "similar": similar(
                session, caller, dependencies.read_audit, case_id, NEAREST
            )
        }
    return render(request, visitor, "case.html", **facts)


def permissions(visitor: Visitor) -> dict[str, bool]:
    """The buttons that the visitor gets."""
    return {
        "may_submit": visitor.may(Permission.SUBMIT),
        "may_rerun": visitor.may(Permission.RERUN),
    }


def _read_region(case: CaseView, result: Result) -> Mapping[str, Any] | None:
    """Return the region that was read, as an ROI of the contract; None for the whole picture."""
    if result.roi and result.roi.polygon:
        return {"polygon": result.roi.polygon}
    if case.roi:
        return case.roi
    return {"box": result.roi.box} if result.roi else None


def _picture_hint(case: CaseView, result: Result) -> str:
    """Return the name of the words that say whose outline is drawn over the image."""
    if result.roi is None:
        return "outlined" if case.roi else "plain"
    if result.roi.source is RoiSource.CALIPERS:
        return "found"
    if result.roi.source is RoiSource.NETWORK:
        return "proposed"
    is_given = result.roi.polygon is None or (case.roi and "polygon" in case.roi)
    return "outlined" if is_given else "traced"


def result_facts(say: Translate, case: CaseView, result: Result) -> dict[str, Any]:
    """The result and its figures."""
    return {
        "result": result,
        "picture_hint": _picture_hint(case, result),
        "statement": statement_of(result),
        "synthetic": result.warns(SYNTHETIC_MODEL),
        "model_warnings": sentences.model_warnings(say, result),
        "warnings": sentences.case_warnings(say, result),
        "scale": plots_case.risk_scale(say, result),
        "outline": plots_case.outline(
            _read_region(case, result), case.image["width"], case.image["height"]
        ),
    }
