"""The image types that every stage after decoding works on."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.imaging.errors import FrameAbsent


class ImageFormat(StrEnum):
    PNG = "png"
    JPEG = "jpeg"
    BMP = "bmp"
    TIFF = "tiff"
    DICOM = "dicom"


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the image as uploaded, from its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    def grown(self, share: float, within: "Box") -> "Box":
        """Wider and taller by a share of itself on each side, clipped to another box."""
        along_x = round(share * self.width)
        along_y = round(share * self.height)
        left = max(self.x - along_x, within.x)
        top = max(self.y - along_y, within.y)
        right = min(self.x + self.width + along_x, within.x + within.width)
        bottom = min(self.y + self.height + along_y, within.y + within.height)
        return Box(left, top, right - left, bottom - top)

    def holds(self, other: "Box") -> bool:
        """Whether another box lies inside."""
        across = self.x <= other.x and other.x + other.width <= self.x + self.width
        return (
            across
            and self.y <= other.y
            and other.y + other.height <= self.y + self.height
        )


@dataclass(frozen=True)
class Header:
    """What the first bytes say, before any pixel is decoded."""

    format: ImageFormat
    width: int
    height: int
    frames: int = 1
    device: str | None = None
    """Make and model of the scanner, where the file names them."""

    def frame_index(self, frame: int | None) -> int:
        """Index from 0 of the frame that a reader counts from 1; without one the middle one (`FrameAbsent`).

        Of several pages of a TIFF only the first is read.
        """
        readable = self.frames if self.format is ImageFormat.DICOM else 1
        if frame is None:
            return readable // 2
        if not 1 <= frame <= readable:
            raise FrameAbsent(frame=frame, frames=readable)
        return frame - 1


@dataclass(frozen=True, eq=False)
class UltrasoundImage:
    """A decoded, trusted image: `pixels` is (height, width) uint8 grey."""

    pixels: NDArray[np.uint8]
    format: ImageFormat
    spacing_mm: tuple[float, float] | None = None
    """Row and column spacing in mm, where the file is calibrated."""
    region: Box | None = None
    """The B-mode area, where the file names it (DICOM Sequence of Ultrasound Regions)."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, eq=False)
class Nodule:
    """The region of interest: `pixels` (h, w) uint8 grey crop, `mask` (h, w) bool of the nodule inside it."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    outlined: bool = False
    """True where a polygon or mask was given, so that shape features mean something."""
    findings: tuple[Finding, ...] = ()
    measured_mm: float | None = None
    """Largest diameter of the ROI, or between caliper marks, where the image is calibrated."""
    frame: Box | None = None
    """Where the crop lies in the image it was cut from."""
    found: Box | None = None
    """The ROI that caliper marks enclose, where none was given."""
