"""What is seen in an image."""

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
        description="x, y, width, height in pixels of the preview."
    )


class PhotoView(BaseModel):
    """The photo as it was uploaded, upright, and what it spoils of the straight picture."""

    corners: list[Point] = Field(
        description="Clockwise from the upper left, in pixels of the upright photo."
    )
    found: bool = Field(
        description="Whether they were found or sent; if not, they are a start for moving them."
    )
    glare: float = Field(
        description="Share of the picture under reflections; 0.003 at most is well."
    )
    moire: float = Field(
        description="Decibels of the strongest regular pattern; 20 at most is well."
    )
    blur: float = Field(
        description="Size of the finest detail, per mille of the picture; 50 at most is well."
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
        description="Of the preview; that of the image, unless it is a photo."
    )
    height: int
    frames: int
    frame: int = Field(description="The one that was looked at, from 1.")
    roi: SuggestedRoi | None
    roi_from: Literal["calipers"] | None
    calipers: list[Point] = Field(
        description="Centres of the marks that end a diameter."
    )
    size_mm: float | None = Field(
        description="Between the caliper marks, by the image's own calibration."
    )
    size_from: Literal["calipers"] | None
    spacing_mm: Point | None = Field(
        description="Millimetres between rows and between columns."
    )
    warnings: list[FindingView]
    photo: PhotoView | None
    preview: PreviewImage = Field(
        description="The frame as SERA would read it, upright and grey, cleaned as for storage. A photo may still show "
        "what stands on the screen: names, dates, faces in a reflection. Frame the ultrasound image alone."
    )


def finding_views(findings: Sequence[Finding]) -> list[FindingView]:
    return [FindingView(code=finding.code, message=finding.message) for finding in findings]
