"""Route of previews: shows how SERA interprets an image before it is submitted as a case. Nothing
is stored or logged.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, UploadFile

from services.api.dependencies import (
    DependenciesDep,
    Submitter,
    TransactionDep,
    hospital_id_of,
)
from services.api.previews.schemas import PreviewView
from services.api.previews.service import PreviewRequest, create_preview
from services.api.route_pools import RoutePool, hold_place
from services.api.strict_requests import StrictRoute
from shared.ledger import HospitalSession

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["previews"])


def preview_request(
    image: Annotated[
        UploadFile, File(description="PNG, JPEG, BMP, TIFF, WebP, HEIC or DICOM.")
    ],
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
) -> PreviewRequest:
    return PreviewRequest(
        image=image.file, frame=frame, is_photo=photo, corners=corners
    )


@router.post("/previews", dependencies=[hold_place(RoutePool.PREVIEWS)])
def create_image_preview(
    form: Annotated[PreviewRequest, Depends(preview_request)],
    dependencies: DependenciesDep,
    caller: Submitter,
    transaction: TransactionDep,
) -> PreviewView:
    """Return calipers, scale and ROI of an image, the quality of a photo, and a preview image.
    Nothing is stored.
    """
    session = HospitalSession(transaction, hospital_id_of(caller), caller.actor)
    return create_preview(dependencies, session, form)
