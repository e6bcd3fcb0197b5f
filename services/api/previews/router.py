"""Routes of previews: how SERA interprets an image before it is submitted as a case.

Nothing is logged, and nothing is stored unless the sender asks for it.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Query, Response, UploadFile

from services.api.cases.submission import (
    CoversField,
    PreviewFieldsUnusable,
    uploaded_image,
)
from services.api.dependencies import (
    DependenciesDep,
    HospitalSessionDep,
    SlotDep,
    Submitter,
    TransactionDep,
    hospital_id_of,
)
from services.api.jobs.long_poll import LongPoll
from services.api.previews.outlines import (
    MAX_ROI_LENGTH,
    RETRY_LATER,
    OutlineService,
)
from services.api.previews.schemas import OutlinesView, PreviewView
from services.api.previews.service import PreviewRequest, create_preview
from services.api.route_pools import RoutePool, hold_place
from services.api.strict_requests import StrictRoute
from shared.imaging import parse_prompt
from shared.imaging.deidentify import parse_covers
from shared.ledger import HospitalSession

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["previews"])


def preview_request(
    image: Annotated[
        UploadFile | None,
        File(
            description="PNG, JPEG, BMP, TIFF, WebP, HEIC or DICOM. Needed unless `preview` is "
            "given."
        ),
    ] = None,
    preview: Annotated[
        UUID | None,
        Form(
            description="Id of a kept preview, in place of `image`, to see another frame of it or "
            "to blacken areas. With `keep` it is replaced: the answer has a new id, and the old "
            "one is erased."
        ),
    ] = None,
    frame: Annotated[
        int | None,
        Form(
            le=2**31 - 1,
            description="Frame of a DICOM loop, counted from 1. The middle frame if omitted.",
        ),
    ] = None,
    photo: Annotated[
        bool,
        Form(
            description="Whether the image is a photo of a screen, which is then rectified."
        ),
    ] = False,
    corners: Annotated[
        str | None,
        Form(
            max_length=1000,
            description="Corners of the screen, clockwise from the upper left, in pixels of the "
            "upright photo. If omitted, SERA detects the corners.",
            examples=["[[210, 140], [1380, 190], [1350, 1010], [240, 1060]]"],
        ),
    ] = None,
    keep: Annotated[
        bool,
        Form(
            description="Whether to keep the de-identified image for 30 minutes (a setting of the "
            "installation), so that its outlines can be asked for. The picture of a photo is kept, "
            "not the photo."
        ),
    ] = False,
    covers: CoversField = None,
) -> PreviewRequest:
    if preview is not None and (image is not None or photo):
        raise PreviewFieldsUnusable(field="`image`, `photo`")
    return PreviewRequest(
        image=preview or uploaded_image(image),
        frame=frame,
        is_photo=photo,
        corners=corners,
        keep=keep,
        covers=parse_covers(covers) if covers else (),
    )


@router.post("/previews", dependencies=[hold_place(RoutePool.PREVIEWS)])
def create_image_preview(
    form: Annotated[PreviewRequest, Depends(preview_request)],
    dependencies: DependenciesDep,
    caller: Submitter,
    transaction: TransactionDep,
) -> PreviewView:
    """Return calipers, scale and ROI of an image, the quality of a photo, and a preview image.
    Nothing is stored, unless `keep` is set.
    """
    session = HospitalSession(transaction, hospital_id_of(caller), caller.actor)
    return create_preview(dependencies, session, form)


def outline_service(
    caller: Submitter,
    session: HospitalSessionDep,
    slot: SlotDep,
    dependencies: DependenciesDep,
) -> OutlineService:
    long_poll = LongPoll(session.transaction, caller, dependencies, slot)
    return OutlineService(session, dependencies.notifier, long_poll)


OutlineServiceDep = Annotated[OutlineService, Depends(outline_service)]
Wait = Annotated[
    float,
    Query(
        ge=0, le=120, allow_inf_nan=False, description="Seconds to wait for a worker."
    ),
]


@router.get(
    "/previews/{preview_id}/outlines",
    response_model=OutlinesView,
    responses={202: {"description": "Being drawn; ask again after Retry-After."}},
)
async def find_preview_outlines(
    preview_id: UUID,
    service: OutlineServiceDep,
    roi: Annotated[
        str | None,
        Query(
            max_length=MAX_ROI_LENGTH,
            description="A box or polygon around the nodule, as `roi` of a case: the answer is "
            "what a case with it would be read with. Or a point inside the nodule, in the same "
            "pixels: the answer is the nodule there. If omitted, SERA reads between the caliper "
            "marks or, without marks, looks for the nodule.",
            examples=['{"box": [40, 30, 180, 160]}', '{"point": [128, 96]}'],
        ),
    ] = None,
    wait: Wait = 0,
) -> OutlinesView | Response:
    """Return the outlines of a kept preview that SERA would read. A worker draws them before
    routine cases when they are first asked for. With `wait` the response is sent as soon as they
    are drawn.
    """
    prompt = parse_prompt(roi) if roi else None
    outlines = await service.wait(preview_id, prompt, wait)
    return outlines or Response(status_code=202, headers=RETRY_LATER)
