"""Reader studies: the list, the progress and results of each, and the page for reading."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import DependenciesDep
from services.api.people.service import PeopleService
from services.api.reader_studies.figures import Analysis, Condition
from services.api.reader_studies.reading import ReadingService
from services.api.reader_studies.results import ResultsService
from services.api.reader_studies.schemas import (
    MAX_CASES,
    ReaderProgress,
    ReaderStudyView,
)
from services.api.reader_studies.service import StudyService
from services.api.reports import sentences
from services.api.route_pools import RoutePool
from services.api.web.languages import Translations
from services.api.web.page import (
    PageHospitalSessionDep,
    PageReader,
    SignedInVisitor,
    hold_page_place,
    page_router,
    render,
)
from services.api.web.plots import models as plots_models
from services.api.web.plots.models import RocCurve
from shared.domain.reader_studies import Phase, StudyState
from shared.domain.results.result import Result
from shared.domain.results.statement import statement_of
from shared.domain.roles import HOSPITAL_ROLES, Permission
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller

router = page_router()


@router.get("/studies", response_class=HTMLResponse)
def studies_page(
    request: Request, visitor: PageReader, session: PageHospitalSessionDep
) -> HTMLResponse:
    studies = StudyService(session, visitor.caller).all()
    choices = (
        study_choices(session, visitor.caller)
        if visitor.may(Permission.ADMINISTER)
        else {}
    )
    return render(
        request,
        visitor,
        "studies.html",
        studies=[(study, progress_of(study, visitor.caller)) for study in studies],
        max_cases=MAX_CASES,
        **choices,
    )


@router.get(
    "/studies/{study_id}",
    response_class=HTMLResponse,
    dependencies=[hold_page_place(RoutePool.MONITORING)],
)
def study_page(
    request: Request,
    study_id: UUID,
    visitor: PageReader,
    session: PageHospitalSessionDep,
) -> HTMLResponse:
    study = StudyService(session, visitor.caller).read(study_id)
    progress = progress_of(study, visitor.caller)
    administers = visitor.may(Permission.ADMINISTER)
    has_results = administers and study.state is not StudyState.DRAFT
    hides_results = has_results and must_read_blind(study, progress)
    analysis: Analysis | None = None
    if has_results and not hides_results:
        analysis = ResultsService(session, visitor.caller).analysis(study_id)
    return render(
        request,
        visitor,
        "study.html",
        study=study,
        own_progress=progress,
        hides_results=hides_results,
        administers=administers,
        analysis=analysis,
        phases=list(Phase),
        curves=roc_curves(analysis, visitor),
    )


@router.get("/studies/{study_id}/read", response_class=HTMLResponse)
def reading_page(
    request: Request,
    study_id: UUID,
    visitor: PageReader,
    session: PageHospitalSessionDep,
) -> HTMLResponse:
    """The page without a case. Its script requests the first case when the reader begins.

    The reading time of a case begins with that request.
    """
    study = StudyService(session, visitor.caller).read(study_id)
    return render(
        request,
        visitor,
        "reading.html",
        study=study,
        own_progress=progress_of(study, visitor.caller),
    )


@router.get("/studies/{study_id}/read/{case_id}/sera", response_class=HTMLResponse)
def sera_answer(
    request: Request,
    study_id: UUID,
    case_id: UUID,
    visitor: PageReader,
    session: PageHospitalSessionDep,
    dependencies: DependenciesDep,
) -> HTMLResponse:
    """SERA's answer as a part of the reading page.

    Like GET /v1/.../aided/{case_id}, it is refused before the blind reading.
    """
    aided = ReadingService(session, visitor.caller, dependencies, study_id).aided(
        case_id
    )
    facts = answer_facts(visitor.translations, aided.sera)
    return render(request, visitor, "reading_sera.html", blind=aided.blind, **facts)


def progress_of(study: ReaderStudyView, caller: Caller) -> ReaderProgress | None:
    """The caller's own progress; None for a caller who is not a reader of the study."""
    for reader in study.readers:
        if reader.person_id == caller.person:
            return reader
    return None


def must_read_blind(study: ReaderStudyView, progress: ReaderProgress | None) -> bool:
    """Whether the reader still has cases to read blind, so that no figure may be shown to them."""
    if study.state is not StudyState.OPEN or progress is None:
        return False
    return progress.blind < study.cases


def study_choices(session: HospitalSession, caller: Caller) -> dict[str, Any]:
    """The choices for a new study: people who may read, and the number of cases of each class."""
    eligible = session.reader_studies.eligible()
    malignant = sum(case.malignant for case in eligible)
    people = [
        person
        for person in PeopleService(session, caller).all()
        if person.disabled_at is None and person.role in HOSPITAL_ROLES
    ]
    return {
        "people": people,
        "malignant": malignant,
        "benign": len(eligible) - malignant,
    }


def roc_curves(analysis: Analysis | None, visitor: SignedInVisitor) -> dict[int, str]:
    """ROC curves of each reader beside SERA's as SVG, by the reader's number.

    A reader without a case of each class has none.
    """
    if analysis is None:
        return {}
    curves: dict[int, str] = {}
    for reader in analysis.readers:
        sides = {
            "sera": analysis.sera.figures,
            "blind": reader.blind,
            "aided": reader.aided,
        }
        if reader.blind.roc and reader.aided.roc:
            text = plots_models.figure_text(
                visitor.translations,
                "studies.roc",
                f"roc-{reader.number}",
                reader=reader.number,
            )
            curves[reader.number] = plots_models.roc(_roc_points(sides), text)
    return curves


def answer_facts(translations: Translations, result: Result) -> dict[str, Any]:
    """SERA's answer in the visitor's language."""
    return {
        "sentences": sentences,
        "result": result,
        "statement": statement_of(result),
        "model_warnings": sentences.model_warnings(translations, result),
        "warnings": sentences.case_warnings(translations, result),
    }


def _roc_points(sides: Mapping[str, Condition]) -> dict[str, RocCurve]:
    curves: dict[str, RocCurve] = {}
    for name, side in sides.items():
        if side.roc:
            points = zip(
                side.roc.false_positive_rate, side.roc.sensitivity, strict=True
            )
            curves[name] = RocCurve(points=list(points), band=[])
    return curves
