"""Cases: submit one, read one, see its explanation and those like it, erase one."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile

from services.api.cases.erasing import erase
from services.api.cases.explained import ExplanationView
from services.api.cases.explanation import LATER, ExplanationDesk
from services.api.cases.picture import show
from services.api.cases.schemas import (
    CaseView,
    NewOutcome,
    OutcomeView,
    Receipt,
    SimilarView,
    Tombstone,
)
from services.api.cases.service import CaseDesk, Submission
from services.api.cases.similar import similar
from services.api.dependencies import Administrator, HospitalReader, Submitter, WiringDep
from services.api.text import BatchLabel, OptionalText
from shared.domain.erasure import Ground
from shared.domain.jobs import Priority
from shared.domain.source import Source
from shared.guidelines import EXAMPLE, describe
from shared.imaging import Roi

router = APIRouter(prefix="/v1", tags=["cases"])
LARGEST_MM = 300.0
LONGEST_DESCRIPTION = 2000
"""Letters; a whole description has about 200."""


def submission(
    image: Annotated[UploadFile, File(description="PNG, JPEG, BMP, TIFF or DICOM.")],
    size_mm: Annotated[
        float,
        Form(
            gt=0,
            le=LARGEST_MM,
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
        Source,
        Form(
            description="`photo` for a photo of a screen: the result says so, and what it spoilt."
        ),
    ] = Source.FILE,
    batch: Annotated[
        BatchLabel, Form(description="Your own label for what you send together.")
    ] = None,
    descriptors: Annotated[
        str | None,
        Form(
            max_length=LONGEST_DESCRIPTION,
            description="What you see of the nodule in the terms of the ACR lexicon: your own points, level and FNA "
            "advice then stand beside the model's risk, which they never change.",
            examples=[json.dumps(EXAMPLE)],
        ),
    ] = None,
) -> Submission:
    outline, described = (
        Roi.parse(roi) if roi else None,
        describe(descriptors) if descriptors else None,
    )
    return Submission(
        image.file, size_mm, outline, external_id, priority, frame, source, batch, described
    )


@router.post("/cases", status_code=202)
def submit_case(
    form: Annotated[Submission, Depends(submission)],
    wired: WiringDep,
    who: Submitter,
    response: Response,
) -> Receipt:
    """Accept one nodule image; answers once image and job are durable."""
    receipt = CaseDesk(wired, who).accept(form)
    response.headers["Location"] = receipt.links["job"]
    return receipt


@router.get("/cases/{case_id}")
def read_case(case_id: UUID, wired: WiringDep, who: HospitalReader) -> CaseView:
    """A case as it was submitted, with its jobs and its outcome."""
    return CaseDesk(wired, who).find(case_id)


@router.delete("/cases/{case_id}")
def erase_case(
    case_id: UUID,
    ground: Annotated[Ground, Query(description="Why; it is on record.")],
    wired: WiringDep,
    who: Administrator,
) -> Tombstone:
    """Erase a case for ever: image, size, ROI, descriptors, result, maps, outcome. Said again, the answer stays."""
    return erase(wired, who, case_id, ground)


@router.post("/cases/{case_id}/outcome", status_code=201)
def record_outcome(case_id: UUID, new: NewOutcome, wired: WiringDep, who: Submitter) -> OutcomeView:
    """Say what a case turned out to be, and whether its image may be learned from; the last word counts."""
    return CaseDesk(wired, who).record_outcome(case_id, new)


PICTURE = {
    200: {"content": {"image/png": {}}},
    202: {"description": "Being made; ask again after Retry-After."},
}


@router.get(
    "/cases/{case_id}/explanation", response_model=ExplanationView, responses={202: PICTURE[202]}
)
def list_maps(case_id: UUID, wired: WiringDep, who: HospitalReader) -> ExplanationView | Response:
    """Which maps there are for a case, and how faithful each was measured to be; made when first asked for."""
    return ExplanationDesk(wired, who).maps(case_id) or Response(status_code=202, headers=LATER)


@router.get("/cases/{case_id}/explanation/heat.png", response_class=Response, responses=PICTURE)
def show_map(
    case_id: UUID,
    wired: WiringDep,
    who: HospitalReader,
    number: Annotated[
        int, Query(alias="map", ge=0, le=99, description="Which map, counted from 0.")
    ] = 0,
) -> Response:
    """One map as a transparent layer of the size of its ROI."""
    return ExplanationDesk(wired, who).layer(case_id, number)


@router.get("/cases/{case_id}/similar")
def similar_cases(
    case_id: UUID,
    wired: WiringDep,
    who: HospitalReader,
    limit: Annotated[int, Query(ge=1, le=50)] = 6,
) -> SimilarView:
    """This hospital's past cases with a known outcome that the same model finds nearest to this one."""
    return similar(wired, who, case_id, limit)


@router.get("/cases/{case_id}/explanation.png", response_class=Response, responses=PICTURE)
def explain_case(case_id: UUID, wired: WiringDep, who: HospitalReader) -> Response:
    """Where the ensemble looked: an occlusion map over the ROI, made when first asked for."""
    return ExplanationDesk(wired, who).answer(case_id)


@router.get(
    "/cases/{case_id}/image.png",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}},
        304: {"description": "Unchanged since the ETag was given."},
    },
)
def show_case(case_id: UUID, wired: WiringDep, who: HospitalReader, request: Request) -> Response:
    """The case's cleaned image, or its frame of a loop, upright and in grey as SERA reads it."""
    return show(wired, who, case_id, request.headers.get("if-none-match"))
