"""The image types that every stage after decoding uses."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.domain.results.roi_source import RoiSource
from shared.imaging.errors import FrameMissing
from shared.imaging.raster.orientation import UPRIGHT, Orientation

if TYPE_CHECKING:
    from shared.imaging.regions.roi import Roi

Spacing = tuple[float, float]
"""Row and column spacing in mm."""
FRAME_PX = 256
"""Side of the square to which a whole picture is scaled."""
SCALE_TOLERANCE = 0.02
"""Relative difference of two spacings that are one, written with other digits."""


class ImageFormat(StrEnum):
    PNG = "png"
    JPEG = "jpeg"
    BMP = "bmp"
    TIFF = "tiff"
    WEBP = "webp"
    HEIC = "heic"
    DICOM = "dicom"


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the upright image, from its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    def expand(self, share: float, bounds: "Box") -> "Box":
        """Return a box that is larger by a share of the width and height on each side.

        It is clipped to `bounds`.
        """
        margin_x = round(share * self.width)
        margin_y = round(share * self.height)
        left = max(self.x - margin_x, bounds.x)
        top = max(self.y - margin_y, bounds.y)
        right = min(self.x + self.width + margin_x, bounds.x + bounds.width)
        bottom = min(self.y + self.height + margin_y, bounds.y + bounds.height)
        return Box(x=left, y=top, width=right - left, height=bottom - top)

    def grow(self, margin_px: int, bounds: "Box") -> "Box":
        """Return a box that is larger by a margin on each side, clipped to `bounds`."""
        left = max(self.x - margin_px, bounds.x)
        top = max(self.y - margin_px, bounds.y)
        right = min(self.x + self.width + margin_px, bounds.x + bounds.width)
        bottom = min(self.y + self.height + margin_px, bounds.y + bounds.height)
        return Box(x=left, y=top, width=right - left, height=bottom - top)

    def contains(self, box: "Box") -> bool:
        """Return whether another box lies inside."""
        right = self.x + self.width
        bottom = self.y + self.height
        contains_x = self.x <= box.x and box.x + box.width <= right
        contains_y = self.y <= box.y and box.y + box.height <= bottom
        return contains_x and contains_y

    def overlap(self, box: "Box") -> int:
        """Return the number of pixels that another box shares with this one."""
        right = min(self.x + self.width, box.x + box.width)
        bottom = min(self.y + self.height, box.y + box.height)
        width = max(right - max(self.x, box.x), 0)
        height = max(bottom - max(self.y, box.y), 0)
        return width * height


@dataclass(frozen=True)
class Header:
    """Properties of an image from the first bytes of its file, before any pixel is decoded.

    `width` and `height` are those of the upright image.
    """

    format: ImageFormat
    width: int
    height: int
    frames: int = 1
    device: str | None = None
    """Manufacturer and model of the scanner, if the file names them."""
    orientation: Orientation = UPRIGHT
    """How the stored picture is turned to be upright."""

    @property
    def readable_frames(self) -> int:
        """The number of frames that can be chosen. Of a TIFF only the first page is read."""
        return self.frames if self.format is ImageFormat.DICOM else 1

    def frame_index(self, frame: int | None) -> int:
        """Return the index from 0 of a frame that is counted from 1; by default of the middle
        frame.

        Raises
        ------
        FrameMissing
        """
        if frame is None:
            return self.readable_frames // 2
        if not 1 <= frame <= self.readable_frames:
            raise FrameMissing(frame=frame, frames=self.readable_frames)
        return frame - 1


@dataclass(frozen=True)
class Region:
    """An area that the file names, with its own scale.

    Attributes
    ----------
    box : its position in the image
    spacing_mm : row and column spacing in mm, if the region is calibrated
    is_low_priority : whether another region that overlaps it is shown above it
    is_b_mode : whether it is a B-mode picture; others, such as colour flow, only confirm or
        contradict the scale of the B-mode picture under them
    """

    box: Box
    spacing_mm: Spacing | None = None
    is_low_priority: bool = False
    is_b_mode: bool = True

    @property
    def area(self) -> int:
        return self.box.width * self.box.height

    @property
    def rank(self) -> tuple[bool, int]:
        """Order of what is shown: the lowest is uppermost."""
        return self.is_low_priority, self.area

    def contradicts(self, region: "Region", box: Box) -> bool:
        """Return whether a part of the image that a B-mode region holds has another scale here.

        A B-mode region under the other one does not matter.
        """
        is_under = self.is_b_mode and self.rank > region.rank
        if is_under or not self.box.overlap(box):
            return False
        return not is_same_scale(self.spacing_mm, region.spacing_mm)


def is_same_scale(first: Spacing | None, second: Spacing | None) -> bool:
    """Return whether two scales differ by no more than their digits."""
    if first is None or second is None:
        return first is second
    return all(
        math.isclose(one, other, rel_tol=SCALE_TOLERANCE)
        for one, other in zip(first, second, strict=True)
    )


@dataclass(frozen=True, eq=False)
class UltrasoundImage:
    """A decoded, trusted image.

    `pixels` is (height, width) uint8 grey.
    """

    pixels: NDArray[np.uint8]
    format: ImageFormat
    spacing_mm: Spacing | None = None
    """Row and column spacing in mm of `region`, if the file is calibrated."""
    region: Box | None = None
    """The B-mode area, if the file names it (DICOM Sequence of Ultrasound Regions)."""
    findings: tuple[Finding, ...] = ()
    regions: tuple[Region, ...] = ()
    """All B-mode areas of the file, of which `region` is the largest, and other areas that are
    measured in millimetres."""

    def spacing_at(self, box: Box) -> Spacing | None:
        """Return row and column spacing in mm for a part of the image.

        The B-mode region at the middle of the part holds it: of several the one of high priority
        (PS3.3, C.8.5.5.1.3), and then the smallest, such as a zoomed inset above the whole field.
        The result is None if that region is not calibrated or does not hold the whole part, or if
        a region above it gives a piece of the part another scale. Without regions the scale is
        that of the image.
        """
        b_mode_regions = [region for region in self.regions if region.is_b_mode]
        if not b_mode_regions:
            is_inside = self.region is None or self.region.contains(box)
            return self.spacing_mm if is_inside else None
        middle = Box(
            x=box.x + box.width // 2, y=box.y + box.height // 2, width=1, height=1
        )
        holding = [region for region in b_mode_regions if region.box.contains(middle)]
        if not holding:
            return None
        uppermost = min(holding, key=lambda region: region.rank)
        if not uppermost.box.contains(box):
            return None
        if any(region.contradicts(uppermost, box) for region in self.regions):
            return None
        return uppermost.spacing_mm

    def with_findings(self, findings: Iterable[Finding]) -> "UltrasoundImage":
        """Return the image with further findings."""
        return replace(self, findings=(*self.findings, *findings))


@dataclass(frozen=True, eq=False)
class Nodule:
    """The cropped region of interest.

    `pixels` is (h, w) uint8 grey, `mask` is (h, w) bool of the nodule in it.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    has_outline: bool = False
    """Whether the mask comes from a polygon or a mask file, so that shape features are valid."""
    findings: tuple[Finding, ...] = ()
    diameter_mm: float | None = None
    """Largest diameter of the ROI or between caliper marks, if the image is calibrated."""
    crop_box: Box | None = None
    """Position of the crop in the image."""
    roi: "Roi | None" = None
    """The region that was read, in pixels of the image; None for the whole picture."""
    roi_source: RoiSource | None = None
    is_found: bool = True
    """False if nothing is marked and the outliner found no nodule in the picture."""
    frame: NDArray[np.uint8] | None = None
    """The whole B-mode picture, scaled to a square of `FRAME_PX`. Without it `pixels` stand for it."""
