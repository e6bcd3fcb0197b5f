"""Routes of cases: submit, read, explain, find similar ones, record the outcome, erase."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from services.api.cases.explanation import RETRY_LATER, ExplanationService
from services.api.cases.explanation_view import ExplanationView
from services.api.cases.picture import CaseImage
from services.api.cases.reader_level import (
    NewOwnLevel,
    ReaderLevelView,
    store_own_level,
)
from services.api.cases.schemas import (
    CaseView,
    NewOutcome,
    OutcomeView,
    Receipt,
    SimilarView,
    Tombstone,
)
from services.api.cases.service import CaseService, erase_and_notify, submission_receipt
from services.api.cases.similar import similar
from services.api.cases.submission import submission
from services.api.dependencies import (
    Administrator,
    DependenciesDep,
    HospitalReader,
    HospitalSessionDep,
    IdempotentRequestDep,
    Submitter,
    TransactionDep,
    hospital_id_of,
)
from services.api.route_pools import RoutePool, hold_place
from services.api.strict_requests import StrictRoute
from shared.cases.accept import Submission
from shared.domain.erasure import ErasureReason
from shared.ledger import HospitalSession

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["cases"])


def case_service(
    caller: HospitalReader, session: HospitalSessionDep, dependencies: DependenciesDep
) -> CaseService:
    return CaseService(session, caller, dependencies.read_audit)


def explanation_service(
    caller: HospitalReader, session: HospitalSessionDep, dependencies: DependenciesDep
) -> ExplanationService:
    return ExplanationService(session, caller, dependencies)


CaseServiceDep = Annotated[CaseService, Depends(case_service)]
ExplanationServiceDep = Annotated[ExplanationService, Depends(explanation_service)]


@router.post("/cases", status_code=202)
def submit_case(
    form: Annotated[Submission, Depends(submission)],
    caller: Submitter,
    transaction: TransactionDep,
    idempotent: IdempotentRequestDep,
    dependencies: DependenciesDep,
    request: Request,
    response: Response,
) -> Receipt:
    """Submit one nodule image. The frame that will be read is decoded once, so an unreadable image
    is refused with 422. The response is sent after the image and the job are stored durably.
    """
    session = HospitalSession(transaction, hospital_id_of(caller), caller.actor)
    accepted = dependencies.acceptance.accept(
        form,
        session,
        idempotent=idempotent,
        rate_limit_status=request.state.rate_limit_status,
    )
    answer = submission_receipt(accepted)
    response.headers["Location"] = answer.links["job"]
    return answer


@router.get("/cases/{case_id}")
def read_case(case_id: UUID, service: CaseServiceDep) -> CaseView:
    """Return a case as it was submitted, with its jobs and its final diagnosis."""
    return service.read(case_id)


@router.delete("/cases/{case_id}")
def erase_case(
    case_id: UUID,
    ground: Annotated[ErasureReason, Query(description="Reason; it is recorded.")],
    caller: Administrator,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> Tombstone:
    """Erase the image, size, ROI, descriptors, result, maps and outcome of a case permanently.

    A repeated request gets the same response.
    """
    return erase_and_notify(session, dependencies.notifier, case_id, ground)


@router.post("/cases/{case_id}/outcome", status_code=201)
def record_outcome(
    case_id: UUID,
    new: NewOutcome,
    caller: Submitter,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> OutcomeView:
    """Record the final diagnosis of a case, and whether its image may be used for training.

    The latest outcome counts.
    """
    service = CaseService(session, caller, dependencies.read_audit)
    return service.record_outcome(case_id, new)


@router.post("/cases/{case_id}/reader-level", status_code=201)
def enter_reader_level(
    case_id: UUID,
    new: NewOwnLevel,
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> ReaderLevelView:
    """Store the signed-in person's own suspicion level for a case, before they see SERA's answer.
    It cannot be changed later.
    """
    settings = dependencies.settings
    return store_own_level(session, caller, settings, case_id=case_id, new=new)


PNG_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}},
    202: {"description": "Being computed; ask again after Retry-After."},
}


@router.get(
    "/cases/{case_id}/explanation",
    response_model=ExplanationView,
    responses={202: PNG_RESPONSES[202]},
    dependencies=[hold_place(RoutePool.EXPLANATIONS)],
)
def list_maps(
    case_id: UUID, service: ExplanationServiceDep
) -> ExplanationView | Response:
    """Return the explanation maps of a case, each with its measured faithfulness.

    They are computed when first requested.
    """
    maps = service.maps(case_id)
    return maps or Response(status_code=202, headers=RETRY_LATER)


@router.get(
    "/cases/{case_id}/explanation/heat.png",
    response_class=Response,
    responses=PNG_RESPONSES,
    dependencies=[hold_place(RoutePool.EXPLANATIONS)],
)
def show_map(
    case_id: UUID,
    service: ExplanationServiceDep,
    number: Annotated[
        int,
        Query(
            alias="map", ge=0, le=99, description="Index of the map, counted from 0."
        ),
    ] = 0,
) -> Response:
    """Return one map as a transparent layer of the size of its ROI."""
    return service.layer(case_id, number)


@router.get("/cases/{case_id}/similar", dependencies=[hold_place(RoutePool.SIMILAR)])
def similar_cases(
    case_id: UUID,
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
    limit: Annotated[int, Query(ge=1, le=50)] = 6,
) -> SimilarView:
    """Return the past cases of this hospital that are most similar to this case by the same model.
    Only cases with a final diagnosis are returned.
    """
    return similar(
        session=session,
        caller=caller,
        read_audit=dependencies.read_audit,
        case_id=case_id,
        limit=limit,
    )


@router.get(
    "/cases/{case_id}/explanation.png",
    response_class=Response,
    responses=PNG_RESPONSES,
    dependencies=[hold_place(RoutePool.EXPLANATIONS)],
)
def explain_case(case_id: UUID, service: ExplanationServiceDep) -> Response:
    """Return an occlusion map of the ensemble over the ROI. It is computed when first requested."""
    return service.overlay(case_id)


@router.get(
    "/cases/{case_id}/image.png",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}},
        304: {"description": "Unchanged since this ETag."},
    },
    dependencies=[hold_place(RoutePool.IMAGES)],
)
def show_case(
    case_id: UUID,
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
    request: Request,
    frame: Annotated[
        int | None,
        Query(
            ge=1,
            le=2**31 - 1,
            description="Frame of a loop, counted from 1; by default the selected one.",
        ),
    ] = None,
) -> Response:
    """Return the case's de-identified image, upright and grey as the model processes it.

    From a loop, one frame is returned. `X-Image-Frame` and `X-Image-Frames` say which of how many;
    `X-Image-Calibration` has mm per row, mm per column, and x, y, width and height of the area in
    which they hold.
    """
    if_none_match = request.headers.get("if-none-match")
    image = CaseImage(session, caller, dependencies)
    return image.response(case_id, if_none_match, frame)
