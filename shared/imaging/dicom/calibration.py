"""Millimetres per pixel and the B-mode area, as a DICOM file states them."""

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from shared.domain.results.findings import Finding
from shared.imaging.image import Box

CENTIMETRES = 3
"""Physical units code (PS3.3, C.8.5.5.1.15)."""
TWO_DIMENSIONAL = 1
TISSUE = 1
"""Region spatial format and region data type (PS3.3, C.8.5.5.1.1 and C.8.5.5.1.2)."""
PIXEL_MM_RANGE = (0.005, 2.0)
"""Smallest and largest plausible pixel of an ultrasound image."""
CORNER_KEYWORDS = (
    "RegionLocationMinX0",
    "RegionLocationMinY0",
    "RegionLocationMaxX1",
    "RegionLocationMaxY1",
)
Spacing = tuple[float, float]
"""Row and column spacing in mm."""

CALIBRATION_REFUSED = Finding(
    "calibration-refused",
    "The file's calibrated region reaches beyond its image, "
    "so the image was resized or cropped after calibration; "
    "its millimetres were not used.",
)
SEVERAL_REGIONS = Finding(
    "several-regions",
    "The file holds several B-mode regions; "
    "the largest, or the first of equals, is taken where no ROI is given.",
)


@dataclass(frozen=True)
class Calibration:
    """The calibration of an image.

    Attributes
    ----------
    spacing_mm : row and column spacing
    region : the B-mode area
    findings : problems that the user should know about
    """

    spacing_mm: Spacing | None = None
    region: Box | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Region:
    box: Box
    spacing_mm: Spacing | None


def calibrate(dataset: Dataset, width: int, height: int) -> Calibration:
    """Return the calibration of an image of `width` x `height` pixels.

    The Sequence of Ultrasound Regions (PS3.3, C.8.5.5) comes first, Pixel Spacing second. A region
    that does not fit into the image belongs to an original of another size. Its position and its
    scale are ignored.
    """
    b_mode_regions: list[_Region] = []
    for item in dataset.get("SequenceOfUltrasoundRegions") or ():
        region = _parse_region(item)
        if region and _is_b_mode(item):
            b_mode_regions.append(region)
    if any(_exceeds_image(region.box, width, height) for region in b_mode_regions):
        return Calibration(findings=(CALIBRATION_REFUSED,))
    if not b_mode_regions:
        return Calibration(spacing_mm=_pixel_spacing(dataset))
    largest = max(
        b_mode_regions, key=lambda region: region.box.width * region.box.height
    )
    return Calibration(
        spacing_mm=largest.spacing_mm,
        region=_clipped(largest.box, width, height),
        findings=(SEVERAL_REGIONS,) if len(b_mode_regions) > 1 else (),
    )


def ultrasound_regions(dataset: Dataset, width: int, height: int) -> tuple[Box, ...]:
    """Return all ultrasound regions of an image of `width` x `height` pixels.

    The regions are images, traces and scales. The result is empty if a region does not fit into
    the image, or if no region is two-dimensional. In both cases the position of the ultrasound
    image remains unknown.
    """
    boxes: list[Box] = []
    has_image = False
    for item in dataset.get("SequenceOfUltrasoundRegions") or ():
        region = _parse_region(item)
        if region is None:
            continue
        boxes.append(region.box)
        if item.get("RegionSpatialFormat") == TWO_DIMENSIONAL:
            has_image = True
    if not has_image or any(_exceeds_image(box, width, height) for box in boxes):
        return ()
    return tuple(_clipped(box, width, height) for box in boxes)


def _is_b_mode(item: Dataset) -> bool:
    is_image = item.get("RegionSpatialFormat") == TWO_DIMENSIONAL
    is_tissue = item.get("RegionDataType") == TISSUE
    return bool(is_image and is_tissue)


def _parse_region(item: Dataset) -> _Region | None:
    """Parse a region of the sequence. The result is None if its corners are missing or invalid."""
    values = [_number(item, keyword) for keyword in CORNER_KEYWORDS]
    corners = [int(value) for value in values if value is not None]
    if len(corners) < len(values):
        return None
    left, top, right, bottom = corners
    if right <= left or bottom <= top or left < 0 or top < 0:
        return None
    box = Box(x=left, y=top, width=right - left + 1, height=bottom - top + 1)
    return _Region(box=box, spacing_mm=_region_spacing(item))


def _region_spacing(item: Dataset) -> Spacing | None:
    for axis in "XY":
        if _number(item, f"PhysicalUnits{axis}Direction") != CENTIMETRES:
            return None
    rows_cm = _number(item, "PhysicalDeltaY")
    columns_cm = _number(item, "PhysicalDeltaX")
    if rows_cm is None or columns_cm is None:
        return None
    return _plausible_spacing(10 * abs(rows_cm), 10 * abs(columns_cm))


def _pixel_spacing(dataset: Dataset) -> Spacing | None:
    spacing = dataset.get("PixelSpacing")
    if not spacing or len(spacing) != 2:
        return None
    return _plausible_spacing(float(spacing[0]), float(spacing[1]))


def _plausible_spacing(rows_mm: float, columns_mm: float) -> Spacing | None:
    low, high = PIXEL_MM_RANGE
    if low <= rows_mm <= high and low <= columns_mm <= high:
        return rows_mm, columns_mm
    return None


def _exceeds_image(box: Box, width: int, height: int) -> bool:
    """Return whether a region is larger than the image.

    Some manufacturers state the last pixel, others the pixel after it. Therefore one additional
    pixel is accepted.
    """
    return box.x + box.width > width + 1 or box.y + box.height > height + 1


def _clipped(box: Box, width: int, height: int) -> Box:
    return Box(
        x=box.x,
        y=box.y,
        width=min(box.width, width - box.x),
        height=min(box.height, height - box.y),
    )


def _number(item: Dataset, keyword: str) -> float | None:
    value = item.get(keyword)
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None
