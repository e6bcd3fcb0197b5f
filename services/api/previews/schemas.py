"""API schemas of previews."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from shared.domain.results.findings import Finding
from shared.imaging import ImageFormat

Point = tuple[float, float]


class FindingView(BaseModel):
    code: str
    message: str = Field(description="A sentence with the next step.")


class SuggestedRoi(BaseModel):
    box: tuple[float, float, float, float] = Field(
        description="x, y, width and height in pixels of the preview."
    )


class PhotoView(BaseModel):
    """The uploaded photo, upright, and the faults that it leaves in the rectified picture."""

    corners: list[Point] = Field(
        description="Corners of the screen, clockwise from the upper left, in pixels of the "
        "upright photo."
    )
    found: bool = Field(
        description="Whether the corners were detected or sent. If false, they are a starting "
        "point to move by hand."
    )
    glare: float = Field(
        description="Share of the picture under reflections; up to 0.003 is acceptable."
    )
    moire: float = Field(
        description="Strength of the strongest regular pattern in dB; up to 20 is acceptable."
    )
    blur: float = Field(
        description="Size of the finest detail in per mille of the picture; up to 50 is acceptable."
    )
    retake: bool
    advice: list[FindingView]
    width: int
    height: int


class PreviewImage(BaseModel):
    media_type: Literal["image/png"] = "image/png"
    base64: str


class PreviewView(BaseModel):
    format: ImageFormat
    width: int = Field(
        description="Width of the preview. Equals that of the image, unless it is a photo."
    )
    height: int
    frames: int
    frame: int = Field(description="The frame that was read, counted from 1.")
    roi: SuggestedRoi | None
    roi_from: Literal["calipers"] | None
    calipers: list[Point] = Field(
        description="Centres of the caliper marks at the ends of the diameters."
    )
    size_mm: float | None = Field(
        description="Distance between the caliper marks, by the image's own calibration."
    )
    size_from: Literal["calipers"] | None
    spacing_mm: Point | None = Field(
        description="Millimetres between rows and between columns."
    )
    warnings: list[FindingView]
    photo: PhotoView | None
    preview: PreviewImage = Field(
        description="The frame as SERA would read it: upright, grey, de-identified as for storage. "
        "A photo may still "
        "show everything on the screen, such as names, dates and reflected faces. Frame the "
        "ultrasound image alone."
    )


def finding_views(findings: Sequence[Finding]) -> list[FindingView]:
    return [
        FindingView(code=finding.code, message=finding.message) for finding in findings
    ]
