"""Reader studies: an administrator makes, opens, closes and analyses them; their readers read."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from services.api.dependencies import Administrator, HospitalReader, WiringDep
from services.api.reader_studies.desk import ReadingDesk
from services.api.reader_studies.figures import Analysis
from services.api.reader_studies.results import ResultsDesk
from services.api.reader_studies.schemas import (
    AidedView,
    NewReaderStudy,
    NewReadingView,
    NextCase,
    OwnReading,
    ReaderStudyView,
)
from services.api.reader_studies.service import StudyDesk
from shared.domain.reader_studies import StudyState

router = APIRouter(prefix="/v1/reader-studies", tags=["reader studies"])
CSV = "text/csv"


def reading_desk(study_id: UUID, wired: WiringDep, who: HospitalReader) -> ReadingDesk:
    return ReadingDesk(wired, who, study_id)


def results_desk(wired: WiringDep, who: Administrator) -> ResultsDesk:
    return ResultsDesk(wired, who)


ReadingDeskDep = Annotated[ReadingDesk, Depends(reading_desk)]
ResultsDeskDep = Annotated[ResultsDesk, Depends(results_desk)]


@router.post("", status_code=201)
def make_reader_study(new: NewReaderStudy, wired: WiringDep, who: Administrator) -> ReaderStudyView:
    """A draft of a study: its cases are chosen now, of those with a result and a known outcome."""
    return StudyDesk(wired, who).make(new)


@router.get("")
def list_reader_studies(wired: WiringDep, who: HospitalReader) -> list[ReaderStudyView]:
    """Newest first: an administrator's hospital's, or those that this person reads."""
    return StudyDesk(wired, who).all()


@router.get("/{study_id}")
def read_reader_study(study_id: UUID, wired: WiringDep, who: HospitalReader) -> ReaderStudyView:
    """A study and how far its readers are."""
    return StudyDesk(wired, who).find(study_id)


@router.post("/{study_id}/open")
def open_reader_study(study_id: UUID, wired: WiringDep, who: Administrator) -> ReaderStudyView:
    """Let its readers read. Again is harmless; a closed study stays closed."""
    return StudyDesk(wired, who).move(study_id, StudyState.OPEN)


@router.post("/{study_id}/close")
def close_reader_study(study_id: UUID, wired: WiringDep, who: Administrator) -> ReaderStudyView:
    """No more readings. Again is harmless; what is closed is never opened again."""
    return StudyDesk(wired, who).move(study_id, StudyState.CLOSED)


@router.get("/{study_id}/next")
def next_case(desk: ReadingDeskDep) -> NextCase:
    """The next case of this reader, whose time begins: image and size, and nothing else of it."""
    return desk.next()


@router.get(
    "/{study_id}/cases/{case_id}/image.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
def study_image(case_id: UUID, desk: ReadingDeskDep) -> Response:
    """The image of a case of the study, for its readers."""
    return desk.image(case_id)


@router.post("/{study_id}/readings", status_code=201)
def store_reading(new: NewReadingView, desk: ReadingDeskDep) -> OwnReading:
    """What the reader says of a case; it stays as it is."""
    return desk.store(new)


@router.get("/{study_id}/aided/{case_id}")
def read_aided(case_id: UUID, desk: ReadingDeskDep) -> AidedView:
    """SERA's answer, once the reader's own blind reading of the case is stored; the aided reading's time begins."""
    return desk.aided(case_id)


@router.get("/{study_id}/analysis")
def analyse_reader_study(study_id: UUID, desk: ResultsDeskDep) -> Analysis:
    """Every figure, on what is read so far."""
    return desk.analysis(study_id)


@router.get(
    "/{study_id}/readings.csv",
    response_class=Response,
    responses={200: {"content": {CSV: {}}, "description": "CSV."}},
)
def export_readings(study_id: UUID, desk: ResultsDeskDep) -> Response:
    """Every reading, by the readers' numbers."""
    name = {"Content-Disposition": 'attachment; filename="readings.csv"'}
    return Response(desk.table(study_id), media_type=CSV, headers=name)
