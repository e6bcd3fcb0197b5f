"""Reader studies: which there are, how far each is, what it shows, and the desk that they are read at."""

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
    MOST_CASES,
    ReaderProgress,
    ReaderStudyView,
)
from services.api.reader_studies.service import StudyService
from services.api.reports import sentences
from services.api.web.languages import Translations
from services.api.web.page import (
    PageHospitalSessionDep,
    PageReader,
    SignedInVisitor,
    pages,
    show,
)
from services.api.web.plots import models as plots_models
from services.api.web.plots.models import Legend, RocCurve
from shared.domain.reader_studies import Phase, StudyState
from shared.domain.results.result import Result
from shared.domain.roles import HOSPITAL_ROLES, Permission
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller

router = pages()


@router.get("/studies", response_class=HTMLResponse)
def studies_page(
    request: Request, visitor: PageReader, session: PageHospitalSessionDep
) -> HTMLResponse:
    studies = StudyService(session, visitor.caller).all()
    choices = offered(session, visitor.caller) if visitor.may(Permission.ADMINISTER) else {}
    return show(
        request,
        visitor,
        "studies.html",
        studies=[(study, own(study, visitor.caller)) for study in studies],
        most_cases=MOST_CASES,
        **choices,
    )


@router.get("/studies/{study_id}", response_class=HTMLResponse)
def study_page(
    request: Request,
    study_id: UUID,
    visitor: PageReader,
    session: PageHospitalSessionDep,
) -> HTMLResponse:
    study = StudyService(session, visitor.caller).find(study_id)
    mine = own(study, visitor.caller)
    administers = visitor.may(Permission.ADMINISTER)
    wanted = administers and study.state is not StudyState.DRAFT
    blind = wanted and unread(study, mine)
    analysis = (
        ResultsService(session).analysis(study_id) if wanted and not blind else None
    )
    return show(
        request,
        visitor,
        "study.html",
        study=study,
        mine=mine,
        blind=blind,
        administers=administers,
        analysis=analysis,
        phases=list(Phase),
        curves=curves(analysis, visitor),
    )


@router.get("/studies/{study_id}/read", response_class=HTMLResponse)
def reading_page(
    request: Request,
    study_id: UUID,
    visitor: PageReader,
    session: PageHospitalSessionDep,
) -> HTMLResponse:
    """The page without a case on it: the first is asked for when the reader begins, for then its time does too."""
    study = StudyService(session, visitor.caller).find(study_id)
    return show(
        request, visitor, "reading.html", study=study, mine=own(study, visitor.caller)
    )


@router.get("/studies/{study_id}/read/{case_id}/sera", response_class=HTMLResponse)
def sera_part(
    request: Request,
    study_id: UUID,
    case_id: UUID,
    visitor: PageReader,
    session: PageHospitalSessionDep,
    wired: DependenciesDep,
) -> HTMLResponse:
    """SERA's answer as a part of the desk. As GET /v1/.../aided/{case_id}: refused before the blind reading."""
    aided = ReadingService(session, visitor.caller, wired, study_id).aided(case_id)
    facts = answer_facts(visitor.translations, aided.sera)
    return show(request, visitor, "reading_sera.html", blind=aided.blind, **facts)


def own(study: ReaderStudyView, caller: Caller) -> ReaderProgress | None:
    """How far this person is, if they are a reader of the study."""
    return next(
        (reader for reader in study.readers if reader.person_id == caller.person), None
    )


def unread(study: ReaderStudyView, mine: ReaderProgress | None) -> bool:
    """Whether this person still has to read blind, so that no figure may be shown to them."""
    return (
        study.state is StudyState.OPEN and mine is not None and mine.blind < study.cases
    )


def offered(session: HospitalSession, caller: Caller) -> dict[str, Any]:
    """What a new study can be made of: people who may read, and how many cases of either class."""
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


def curves(analysis: Analysis | None, visitor: SignedInVisitor) -> dict[int, str]:
    """ROC curves of each reader beside SERA's, by the reader's number; none under a case of either class."""
    if analysis is None:
        return {}
    drawn: dict[int, str] = {}
    for reader in analysis.readers:
        sides = {
            "sera": analysis.sera.figures,
            "blind": reader.blind,
            "aided": reader.aided,
        }
        if reader.blind.roc and reader.aided.roc:
            drawn[reader.number] = plots_models.roc(
                _points(sides), _legend(reader.number, visitor.translations)
            )
    return drawn


def answer_facts(words: Translations, result: Result) -> dict[str, Any]:
    """SERA's answer in the visitor's language."""
    return {
        "risk": sentences.percent(result.risk),
        "decision": result.decision,
        "advice": sentences.advice(words, result.fna),
        "advice_says": sentences.advice_says(words, result.fna),
        "rule": sentences.rule(words, result.fna.rule) if result.fna else None,
        "warnings": [sentences.warning(words, warning) for warning in result.warnings],
        "model": result.model,
    }


def _points(sides: Mapping[str, Condition]) -> dict[str, RocCurve]:
    curves = {name: side.roc for name, side in sides.items() if side.roc}
    return {
        name: RocCurve(
            points=list(zip(curve.false_positive_rate, curve.sensitivity, strict=True)),
            band=[],
        )
        for name, curve in curves.items()
    }


def _legend(number: int, words: Translations) -> Legend:
    said = {
        name: words(f"studies.roc.{name}", reader=number)
        for name in ("title", "desc", "x", "y")
    }
    return Legend(f"roc-{number}", **said)
