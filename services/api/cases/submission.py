"""The form of a case submission, and its conversion into a `Submission`."""

import json
from typing import Annotated

from fastapi import File, Form, UploadFile

from services.api.text import BatchLabel, OptionalText
from shared.cases.accept import Submission
from shared.domain.image_source import ImageSource
from shared.domain.jobs import Priority
from shared.domain.roi_space import RoiSpace
from shared.domain.typed_sizes import MAX_MM
from shared.guidelines import DESCRIPTORS_EXAMPLE, parse_descriptors
from shared.imaging import Roi

MAX_DESCRIPTORS_LENGTH = 2000
"""Characters; a complete set of descriptors has about 200."""

ImageFile = Annotated[
    UploadFile, File(description="PNG, JPEG, BMP, TIFF, WebP, HEIC or DICOM.")
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


def submission(
    image: ImageFile,
    size_mm: SizeField,
    roi: RoiField = None,
    roi_space: RoiSpaceField = RoiSpace.UPRIGHT,
    external_id: ExternalIdField = None,
    priority: PriorityField = Priority.ROUTINE,
    frame: FrameField = None,
    source: SourceField = ImageSource.FILE,
    batch: BatchField = None,
    descriptors: DescriptorsField = None,
) -> Submission:
    return Submission(
        image=image.file,
        size_mm=size_mm,
        roi=Roi.parse(roi) if roi else None,
        roi_space=roi_space,
        external_id=external_id,
        priority=priority,
        frame=frame,
        source=source,
        batch=batch,
        descriptors=parse_descriptors(descriptors) if descriptors else None,
    )
