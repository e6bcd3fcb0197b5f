"""API schemas of previews."""

from typing import Literal

from pydantic import BaseModel, Field

from shared.domain.results.findings import Finding
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


class PreviewImage(BaseModel):
    media_type: Literal["image/png"] = "image/png"
    base64: str


class PreviewView(BaseModel):
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
    warnings: list[Finding]
    photo: PhotoView | None
    preview: PreviewImage = Field(
        description="The frame as the model would process it: upright, grey, de-identified as for "
        "storage. A photo may still show everything on the screen, such as names, "
        "dates and reflected faces. Photograph only the ultrasound image."
    )
