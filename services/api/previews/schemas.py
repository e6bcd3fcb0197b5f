"""API schemas of previews."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.results.findings import Finding
from shared.domain.results.roi_source import RoiSource
from shared.imaging import ImageFormat

Point = tuple[float, float]


class SuggestedRoi(BaseModel):
    box: tuple[float, float, float, float] = Field(
        description="x, y, width and height in pixels of the preview, which is upright."
    )


class PhotoView(BaseModel):
    """The uploaded photo, upright, and the faults of the picture rectified from it."""

    corners: list[Point] = Field(
        description="Corners of the screen, clockwise from the upper left, in pixels of the "
        "upright photo."
    )
    found: bool = Field(
        description="Whether the corners were detected or sent. If false, `corners` is a starting "
        "point for the user, who moves them by hand."
    )
    glare: float = Field(
        description="Share of the picture that is covered by reflections. Up to 0.003 is "
        "acceptable."
    )
    moire: float = Field(
        description="Strength of the strongest regular pattern in dB. Up to 20 is acceptable."
    )
    blur: float = Field(
        description="Size of the finest detail in per mille of the picture. Up to 50 is "
        "acceptable."
    )
    retake: bool
    advice: list[Finding]
    width: int
    height: int


class CalibrationView(BaseModel):
    """The scale of an area of the image."""

    row_mm: float
    column_mm: float
    box: tuple[int, int, int, int] = Field(
        description="x, y, width and height in pixels of the preview."
    )


class PreviewImage(BaseModel):
    media_type: Literal["image/png"] = "image/png"
    base64: str


class PreviewView(BaseModel):
    id: UUID | None = Field(
        description="Id of the kept image; null unless `keep` was set."
    )
    expires_at: datetime | None = Field(
        description="When the kept image is erased; null unless `keep` was set."
    )
    links: dict[str, str] = Field(
        description="`outlines`: where the outlines of the kept image are asked for; empty unless "
        "`keep` was set."
    )
    format: ImageFormat
    width: int = Field(
        description="Width of the preview in pixels. It equals the width of the image, unless the "
        "image is a photo."
    )
    height: int
    frames: int
    frame: int = Field(description="The selected frame, counted from 1.")
    roi: SuggestedRoi | None
    roi_from: Literal["calipers"] | None
    calipers: list[Point] = Field(
        description="Centres of the caliper marks at the ends of the diameters."
    )
    size_mm: float | None = Field(
        description="Distance between the caliper marks in mm, computed from the calibration in "
        "the image file."
    )
    size_from: Literal["calipers"] | None
    spacing_mm: Point | None = Field(
        description="Millimetres between rows and between columns."
    )
    calibration: CalibrationView | None = Field(
        description="Where lengths can be measured; null without a scale."
    )
    warnings: list[Finding]
    photo: PhotoView | None
    preview: PreviewImage = Field(
        description="The frame as the model would process it: upright, grey, de-identified as for "
        "storage. A photo may still show everything on the screen, such as names, "
        "dates and reflected faces. Photograph only the ultrasound image."
    )


class OutlineView(BaseModel):
    """The outline of a nodule, to be sent as the ROI of a case or corrected first."""

    polygon: list[Point] = Field(
        description="In pixels of the preview. As `roi` of a case it is "
        '`{"polygon": [...]}`.'
    )
    probability: float | None = Field(
        ge=0,
        le=1,
        description="Mean probability of its pixels that they belong to a nodule, by the outline "
        "network. Null where a box, a polygon or caliper marks say where the nodule is.",
    )


class OutlinesView(BaseModel):
    """What SERA would read. Without an ROI and without caliper marks it is the first outline."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "outlines": [
                        {
                            "polygon": [[120, 80], [184, 96], [150, 148]],
                            "probability": 0.91,
                        }
                    ],
                    "source": "network",
                    "model": "7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730",
                }
            ]
        }
    )
    outlines: list[OutlineView] = Field(
        description="The likeliest first, at most 5; of a point at most one. Empty: SERA found no "
        "nodule, or none at the point."
    )
    source: RoiSource = Field(
        description="`reader`: drawn for the box, polygon or point that was sent; `calipers`: "
        "between the caliper marks; `network`: found by SERA."
    )
    model: str = Field(description="Digest of the model that drew the outlines.")
