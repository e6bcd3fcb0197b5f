"""The form of a case submission, and its conversion into a `Submission`."""

import json
from typing import Annotated, BinaryIO
from uuid import UUID

from fastapi import File, Form, UploadFile
from fastapi.exceptions import RequestValidationError

from services.api.text import BatchLabel, OptionalText
from shared.cases.accept import Submission
from shared.domain.image_source import ImageSource
from shared.domain.jobs import Priority
from shared.domain.roi_space import RoiSpace
from shared.domain.typed_sizes import MAX_MM
from shared.errors import InputError
from shared.guidelines import DESCRIPTORS_EXAMPLE, parse_descriptors
from shared.imaging import Roi
from shared.imaging.deidentify import parse_covers

MAX_DESCRIPTORS_LENGTH = 2000
"""Characters; a complete set of descriptors has about 200."""
MAX_COVERS_LENGTH = 2000
"""Characters; a box has about 25."""

ImageFile = Annotated[
    UploadFile | None,
    File(
        description="PNG, JPEG, BMP, TIFF, WebP, HEIC or DICOM. Needed unless `preview` is given."
    ),
]
PreviewField = Annotated[
    UUID | None,
    Form(
        description="Id of a kept preview, in place of `image`: its image, frame and source are "
        "those of the case. Send no `image`, `frame`, `source`, `roi_space` or `covers` with it. A preview "
        "that is there no longer is answered with 404 `preview-not-kept`."
    ),
]
SizeField = Annotated[
    float,
    Form(
        gt=0,
        le=MAX_MM,
        allow_inf_nan=False,
        description="Largest diameter of the nodule in mm.",
        examples=[14.5],
    ),
]
RoiField = Annotated[
    str | None,
    Form(
        max_length=200_000,
        description="Region of interest in pixels of the upright image, from its upper left "
        "corner: turned and mirrored as EXIF or TIFF orientation says. See `roi_space`.",
        examples=['{"box": [40, 30, 180, 160]}'],
    ),
]
RoiSpaceField = Annotated[
    RoiSpace,
    Form(
        description="The picture to which the coordinates of `roi` refer: `upright`, as it is "
        "shown, or `stored`, the pixels as the file holds them before its orientation is applied. "
        "The case holds the upright ROI."
    ),
]
ExternalIdField = Annotated[
    OptionalText,
    Form(description="Your own number for the case; no patient data."),
]
PriorityField = Annotated[Priority, Form()]
FrameField = Annotated[
    int | None,
    Form(
        le=2**31 - 1,
        description="Frame of a DICOM loop, counted from 1. The middle frame if omitted.",
    ),
]
SourceField = Annotated[
    ImageSource,
    Form(
        description="`photo` for a photo of a screen. The result then says so, with the faults of "
        "the photo."
    ),
]
BatchField = Annotated[
    BatchLabel, Form(description="Your own label for cases that you send together.")
]
DescriptorsField = Annotated[
    str | None,
    Form(
        max_length=MAX_DESCRIPTORS_LENGTH,
        description="Your description of the nodule in the terms of the ACR lexicon. Its points, "
        "level and FNA advice "
        "then stand beside the model's risk and never change it.",
        examples=[json.dumps(DESCRIPTORS_EXAMPLE)],
    ),
]
CoversField = Annotated[
    str | None,
    Form(
        max_length=MAX_COVERS_LENGTH,
        description="Areas to blacken before the image is stored, such as burnt-in text: boxes of "
        "x, y, width and height in pixels of the upright image. In a loop they are blackened in "
        "every frame.",
        examples=["[[0, 0, 300, 32]]"],
    ),
]


class PreviewFieldsUnusable(InputError):
    code = "preview-fields-unusable"
    text = (
        "A case of a preview has the image, frame and source of the preview, and its ROI is in "
        "upright pixels. Send `preview` without {field}."
    )


def submission(
    size_mm: SizeField,
    image: ImageFile = None,
    preview: PreviewField = None,
    roi: RoiField = None,
    roi_space: RoiSpaceField = RoiSpace.UPRIGHT,
    external_id: ExternalIdField = None,
    priority: PriorityField = Priority.ROUTINE,
    frame: FrameField = None,
    source: SourceField = ImageSource.FILE,
    batch: BatchField = None,
    descriptors: DescriptorsField = None,
    covers: CoversField = None,
) -> Submission:
    if preview is not None:
        own_fields = {
            "image": image is not None,
            "frame": frame is not None,
            "source": source is not ImageSource.FILE,
            "roi_space": roi_space is not RoiSpace.UPRIGHT,
            "covers": covers is not None,
        }
        _refuse_own_fields(own_fields)
    return Submission(
        image=preview or uploaded_image(image),
        size_mm=size_mm,
        roi=Roi.parse(roi) if roi else None,
        roi_space=roi_space,
        external_id=external_id,
        priority=priority,
        frame=frame,
        source=source,
        batch=batch,
        descriptors=parse_descriptors(descriptors) if descriptors else None,
        covers=parse_covers(covers) if covers else (),
    )


def _refuse_own_fields(is_sent: dict[str, bool]) -> None:
    """Raises PreviewFieldsUnusable naming a field that is sent beside a preview."""
    for field, sent in is_sent.items():
        if sent:
            raise PreviewFieldsUnusable(field=f"`{field}`")


def uploaded_image(image: UploadFile | None) -> BinaryIO:
    """Raises RequestValidationError naming the field."""
    if image is None:
        location = ("body", "image")
        problem = {"type": "missing", "loc": location, "msg": "Field required"}
        raise RequestValidationError([problem])
    return image.file
