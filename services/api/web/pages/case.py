"""The page of a case: its progress while it waits, its result when it is read."""

import math
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.cases.schemas import CaseView
from services.api.cases.service import CaseService
from services.api.cases.similar import similar
from services.api.dependencies import DependenciesDep
from services.api.jobs.service import JobService
from services.api.locales import Language
from services.api.reports import sentences
from services.api.reports.sentences import Translate, translator
from services.api.reports.text import ReportedCase, report_text
from services.api.web.languages import LANGUAGES
from services.api.web.page import (
    PageHospitalSessionDep,
    PageReader,
    Visitor,
    page_router,
    render,
)
from services.api.web.pages.description import description_facts
from services.api.web.plots import case as plots_case
from shared.domain.outcomes import OutcomeSource
from shared.domain.results.result import Result
from shared.domain.results.roi_source import RoiSource
from shared.domain.results.statement import SYNTHETIC_MODEL, statement_of
from shared.domain.roles import Permission

router = page_router()
NEAREST = 6
"""Number of similar past cases on the page."""
SAME_POINT_PX = 0.5
"""Points of two outlines that are nearer are the same point, written with other digits."""


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
        "outlines": outlines(case, None),
        **permissions(visitor),
    }
    if job.withheld:
        facts |= description_facts(session, dependencies.settings, visitor)
    if job.result:
        facts |= result_facts(say, case, job.result)
        facts |= {
            "similar": similar(
                session, caller, dependencies.read_audit, case_id, NEAREST
            )
        }
    return render(request, visitor, "case.html", **facts)


def permissions(visitor: Visitor) -> dict[str, Any]:
    """The buttons that the visitor gets, and the choices behind them."""
    return {
        "may_submit": visitor.may(Permission.SUBMIT),
        "may_rerun": visitor.may(Permission.RERUN),
        "may_record_outcome": visitor.may(Permission.SUBMIT),
        "sources": list(OutcomeSource),
    }


def _read_region(case: CaseView, result: Result) -> Mapping[str, Any] | None:
    """Return the region that was read, as an ROI of the contract; None for the whole picture."""
    if result.roi and result.roi.polygon:
        return {"polygon": result.roi.polygon}
    if case.roi:
        return case.roi
    return {"box": result.roi.box} if result.roi else None


def outlines(case: CaseView, result: Result | None) -> list[dict[str, Any]]:
    """Return the regions over the image: the one that was read, and a given one beside it if SERA
    drew an outline of its own inside.
    """
    read = _read_region(case, result) if result else case.roi
    if read is None:
        return []
    regions = [{"region": read, "style": "read"}]
    if case.roi and not _is_as_given(case, result):
        regions.append({"region": case.roi, "style": "given"})
    return regions


def report_texts(case: CaseView, result: Result) -> dict[str, str]:
    """Return the result as text for the report, by language."""
    reported = ReportedCase(
        number=case.external_id or str(case.case_id)[:8],
        size_mm=case.size_mm,
        result=result,
        reader_levels=case.reader_levels,
        descriptors=case.descriptors,
        reader_assessment=case.reader_assessment,
    )
    return {
        str(language): report_text(translator(language), reported)
        for language in Language
    }


def _picture_hint(case: CaseView, result: Result) -> str:
    """Return the name of the words that say whose outline is drawn over the image."""
    if result.roi is None:
        return "outlined" if case.roi else "plain"
    if result.roi.source is RoiSource.CALIPERS:
        return "found"
    if result.roi.source is RoiSource.NETWORK:
        return "proposed"
    return "outlined" if _is_as_given(case, result) else "traced"


def _is_as_given(case: CaseView, result: Result | None) -> bool:
    """Return whether the region that was read is the given one, and not SERA's own inside it."""
    polygon = result.roi.polygon if result and result.roi else None
    if polygon is None:
        return True
    given = (case.roi or {}).get("polygon", ())
    if len(given) != len(polygon):
        return False
    return all(
        math.dist(point, read) < SAME_POINT_PX
        for point, read in zip(given, polygon, strict=True)
    )


def result_facts(say: Translate, case: CaseView, result: Result) -> dict[str, Any]:
    """The result and its figures."""
    return {
        "result": result,
        "picture_hint": _picture_hint(case, result),
        "statement": statement_of(result),
        "synthetic": result.warns(SYNTHETIC_MODEL),
        "model_warnings": sentences.model_warnings(say, result),
        "reasons": sentences.reasons(say, result),
        "remarks": sentences.remarks(say, result),
        "report_texts": report_texts(case, result),
        "language_names": LANGUAGES,
        "scale": plots_case.risk_scale(say, result),
        "outline": plots_case.outline(
            _read_region(case, result), case.image["width"], case.image["height"]
        ),
        "outlines": outlines(case, result),
    }
