"""Routes of reader studies. An administrator creates, opens, closes and analyses studies. The
readers of a study read its cases.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from services.api.dependencies import (
    Administrator,
    DependenciesDep,
    HospitalReader,
    HospitalSessionDep,
)
from services.api.reader_studies.figures import Analysis
from services.api.reader_studies.reading import ReadingService
from services.api.reader_studies.results import ResultsService
from services.api.reader_studies.schemas import (
    AidedView,
    NewReaderStudy,
    NewReadingView,
    NextCase,
    OwnReading,
    ReaderStudyView,
)
from services.api.reader_studies.service import StudyService
from services.api.route_pools import RoutePool, hold_place
from services.api.strict_requests import StrictRoute
from shared.domain.reader_studies import StudyState

router = APIRouter(
    route_class=StrictRoute, prefix="/v1/reader-studies", tags=["reader studies"]
)
CSV = "text/csv"


def study_service(caller: HospitalReader, session: HospitalSessionDep) -> StudyService:
    return StudyService(session, caller)


def administered_studies(
    caller: Administrator, session: HospitalSessionDep
) -> StudyService:
    return StudyService(session, caller)


def reading_service(
    study_id: UUID,
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> ReadingService:
    return ReadingService(session, caller, dependencies, study_id)


def results_service(
    caller: Administrator, session: HospitalSessionDep
) -> ResultsService:
    return ResultsService(session, caller)


StudyServiceDep = Annotated[StudyService, Depends(study_service)]
AdministeredStudiesDep = Annotated[StudyService, Depends(administered_studies)]
ReadingServiceDep = Annotated[ReadingService, Depends(reading_service)]
ResultsServiceDep = Annotated[ResultsService, Depends(results_service)]


@router.post("", status_code=201)
def make_reader_study(
    new: NewReaderStudy, service: AdministeredStudiesDep
) -> ReaderStudyView:
    """Create the draft of a study. Its cases are selected immediately, from the cases with a result
    and a known outcome.
    """
    return service.create(new)


@router.get("")
def list_reader_studies(service: StudyServiceDep) -> list[ReaderStudyView]:
    """Return studies, newest first. An administrator sees all studies of the hospital, a reader
    only the studies that this person reads.
    """
    return service.all()


@router.get("/{study_id}")
def read_reader_study(study_id: UUID, service: StudyServiceDep) -> ReaderStudyView:
    """Return a study with the progress of its readers."""
    return service.read(study_id)


@router.post("/{study_id}/open")
def open_reader_study(
    study_id: UUID, service: AdministeredStudiesDep
) -> ReaderStudyView:
    """Open a study for its readers. A repeated request changes nothing. A closed study stays
    closed.
    """
    return service.change_state(study_id, StudyState.OPEN)


@router.post("/{study_id}/close")
def close_reader_study(
    study_id: UUID, service: AdministeredStudiesDep
) -> ReaderStudyView:
    """Close a study. It accepts no more readings and is never opened again. A repeated request
    changes nothing.
    """
    return service.change_state(study_id, StudyState.CLOSED)


@router.get("/{study_id}/next")
def next_case(service: ReadingServiceDep) -> NextCase:
    """Return the next case of this reader, with only its image and size. The reading time
    starts.
    """
    return service.next()


@router.get(
    "/{study_id}/cases/{case_id}/image.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
    dependencies=[hold_place(RoutePool.IMAGES)],
)
def study_image(case_id: UUID, service: ReadingServiceDep) -> Response:
    """Return the image of a case of the study, for its readers."""
    return service.image(case_id)


@router.post("/{study_id}/readings", status_code=201)
def store_reading(new: NewReadingView, service: ReadingServiceDep) -> OwnReading:
    """Store a reading of a case. It cannot be changed later."""
    return service.store(new)


@router.get("/{study_id}/aided/{case_id}")
def read_aided(case_id: UUID, service: ReadingServiceDep) -> AidedView:
    """Return SERA's result for a case. The reader's own blind reading must be stored first. The
    time of the aided reading starts.
    """
    return service.aided(case_id)


@router.get("/{study_id}/analysis", dependencies=[hold_place(RoutePool.MONITORING)])
def analyse_reader_study(study_id: UUID, service: ResultsServiceDep) -> Analysis:
    """Return the analysis of all readings so far."""
    return service.analysis(study_id)


@router.get(
    "/{study_id}/readings.csv",
    response_class=Response,
    responses={200: {"content": {CSV: {}}, "description": "CSV."}},
    dependencies=[hold_place(RoutePool.EXPORTS)],
)
def export_readings(study_id: UUID, service: ResultsServiceDep) -> Response:
    """Export all readings as CSV, with the readers' numbers."""
    headers = {"Content-Disposition": 'attachment; filename="readings.csv"'}
    return Response(service.table(study_id), media_type=CSV, headers=headers)
