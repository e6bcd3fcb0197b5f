"""Cases: submit one, read one, see its explanation and those like it, erase one."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile

from services.api.cases.erasure import erase
from services.api.cases.explanation import RETRY_LATER, ExplanationService
from services.api.cases.explanation_view import ExplanationView
from services.api.cases.picture import CaseImage
from services.api.cases.schemas import (
    CaseView,
    NewOutcome,
    OutcomeView,
    Receipt,
    SimilarView,
    Tombstone,
)
from services.api.cases.service import CaseService, submission_receipt
from services.api.cases.similar import similar
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
from services.api.text import BatchLabel, OptionalText
from shared.cases.accept import Submission
from shared.domain.erasure import ErasureReason
from shared.domain.image_source import ImageSource
from shared.domain.jobs import Priority
from shared.guidelines import DESCRIPTORS_EXAMPLE, parse_descriptors
from shared.imaging import Roi
from shared.ledger import HospitalSession

router = APIRouter(prefix="/v1", tags=["cases"])
MAX_SIZE_MM = 300.0
MAX_DESCRIPTORS_LENGTH = 2000
"""Letters; a whole description has about 200."""


def submission(
    image: Annotated[UploadFile, File(description="PNG, JPEG, BMP, TIFF or DICOM.")],
    size_mm: Annotated[
        float,
        Form(
            gt=0,
            le=MAX_SIZE_MM,
            allow_inf_nan=False,
            description="Largest diameter of the nodule in mm.",
            examples=[14.5],
        ),
    ],
    roi: Annotated[
        str | None,
        Form(
            max_length=200_000,
            description="In pixels of the image as uploaded.",
            examples=['{"box": [40, 30, 180, 160]}'],
        ),
    ] = None,
    external_id: Annotated[
        OptionalText, Form(description="Your own number for the case; no patient data.")
    ] = None,
    priority: Annotated[Priority, Form()] = Priority.ROUTINE,
    frame: Annotated[
        int | None,
        Form(
            le=2**31 - 1,
            description="Which frame of a DICOM loop, counted from 1; left out, the middle one.",
        ),
    ] = None,
    source: Annotated[
        ImageSource,
        Form(
            description="`photo` for a photo of a screen: the result says so, and what it spoilt."
        ),
    ] = ImageSource.FILE,
    batch: Annotated[
        BatchLabel, Form(description="Your own label for what you send together.")
    ] = None,
    descriptors: Annotated[
        str | None,
        Form(
            max_length=MAX_DESCRIPTORS_LENGTH,
            description="What you see of the nodule in the terms of the ACR lexicon: your own points, level and FNA "
            "advice then stand beside the model's risk, which they never change.",
            examples=[json.dumps(DESCRIPTORS_EXAMPLE)],
        ),
    ] = None,
) -> Submission:
    return Submission(
        image=image.file,
        size_mm=size_mm,
        roi=Roi.parse(roi) if roi else None,
        external_id=external_id,
        priority=priority,
        frame=frame,
        source=source,
        batch=batch,
        descriptors=parse_descriptors(descriptors) if descriptors else None,
    )


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
    """Accept one nodule image; answers once image and job are durable."""
    session = HospitalSession(transaction, hospital_id_of(caller), caller.actor)
    accepted = dependencies.acceptance.accept(
        form, session, idempotent=idempotent, standing=request.state.rate_limit_status
    )
    answer = submission_receipt(accepted)
    response.headers["Location"] = answer.links["job"]
    return answer


@router.get("/cases/{case_id}")
def read_case(case_id: UUID, service: CaseServiceDep) -> CaseView:
    """A case as it was submitted, with its jobs and its outcome."""
    return service.read(case_id)


@router.delete("/cases/{case_id}")
def erase_case(
    case_id: UUID,
    ground: Annotated[ErasureReason, Query(description="Why; it is on record.")],
    caller: Administrator,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> Tombstone:
    """Erase a case for ever: image, size, ROI, descriptors, result, maps, outcome. Said again, the answer stays."""
    return erase(session, dependencies.notifier, case_id, ground)


@router.post("/cases/{case_id}/outcome", status_code=201)
def record_outcome(
    case_id: UUID,
    new: NewOutcome,
    caller: Submitter,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> OutcomeView:
    """Say what a case turned out to be, and whether its image may be learned from; the last word counts."""
    return CaseService(session, caller, dependencies.read_audit).record_outcome(case_id, new)


PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}},
    202: {"description": "Being made; ask again after Retry-After."},
}


@router.get(
    "/cases/{case_id}/explanation",
    response_model=ExplanationView,
    responses={202: PICTURE[202]},
)
def list_maps(
    case_id: UUID, service: ExplanationServiceDep
) -> ExplanationView | Response:
    """Which maps there are for a case, and how faithful each was measured to be; made when first asked for."""
    return service.maps(case_id) or Response(status_code=202, headers=RETRY_LATER)


@router.get(
    "/cases/{case_id}/explanation/heat.png", response_class=Response, responses=PICTURE
)
def show_map(
    case_id: UUID,
    service: ExplanationServiceDep,
    number: Annotated[
        int, Query(alias="map", ge=0, le=99, description="Which map, counted from 0.")
    ] = 0,
) -> Response:
    """One map as a transparent layer of the size of its ROI."""
    return service.layer(case_id, number)


@router.get("/cases/{case_id}/similar")
def similar_cases(
    case_id: UUID,
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
    limit: Annotated[int, Query(ge=1, le=50)] = 6,
) -> SimilarView:
    """This hospital's past cases with a known outcome that the same model finds nearest to this one."""
    return similar(session, caller, dependencies.read_audit, case_id, limit)


@router.get(
    "/cases/{case_id}/explanation.png", response_class=Response, responses=PICTURE
)
def explain_case(case_id: UUID, service: ExplanationServiceDep) -> Response:
    """Where the ensemble looked: an occlusion map over the ROI, made when first asked for."""
    return service.overlay(case_id)


@router.get(
    "/cases/{case_id}/image.png",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}},
        304: {"description": "Unchanged since the ETag was given."},
    },
)
def show_case(
    case_id: UUID,
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
    request: Request,
) -> Response:
    """The case's cleaned image, or its frame of a loop, upright and in grey as SERA reads it."""
    known = request.headers.get("if-none-match")
    return CaseImage(session, caller, dependencies).show(case_id, known)
