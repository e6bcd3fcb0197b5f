"""Looks: what SERA sees in an image before it is a case. Nothing is stored, nothing is logged of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, UploadFile

from services.api.dependencies import DependenciesDep, Submitter
from services.api.previews.schemas import PreviewView
from services.api.previews.service import PreviewRequest, create_preview

router = APIRouter(prefix="/v1", tags=["looks"])


def preview_request(
    image: Annotated[UploadFile, File(description="PNG, JPEG, BMP, TIFF or DICOM.")],
    frame: Annotated[
        int | None,
        Form(
            le=2**31 - 1,
            description="Which frame of a DICOM loop, from 1; left out, the middle one.",
        ),
    ] = None,
    photo: Annotated[
        bool,
        Form(description="Whether it is a photo of a screen, to be made straight."),
    ] = False,
    corners: Annotated[
        str | None,
        Form(
            max_length=1000,
            description="Of the screen: clockwise from the upper left, in pixels of the upright photo; left out, they "
            "are found.",
            examples=["[[210, 140], [1380, 190], [1350, 1010], [240, 1060]]"],
        ),
    ] = None,
) -> PreviewRequest:
    return PreviewRequest(image.file, frame, photo, corners)


@router.post("/looks")
def create_image_preview(
    form: Annotated[PreviewRequest, Depends(preview_request)], dependencies: DependenciesDep, who: Submitter
) -> PreviewView:
    """Calipers, scale and ROI of an image, a photo made straight, and a preview. Nothing is kept."""
    return create_preview(dependencies, form)
