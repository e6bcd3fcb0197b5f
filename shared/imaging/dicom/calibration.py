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
PLAUSIBLE_MM = (0.005, 2.0)
"""Least and greatest pixel of an ultrasound image."""

ASTRAY = Finding(
    "calibration-refused",
    "The file's calibrated region reaches beyond its image, so the image was resized or cropped after calibration; "
    "its millimetres were not used.",
)
SEVERAL = Finding(
    "several-regions",
    "The file holds several B-mode regions; the largest, or the first of equals, is taken where no ROI is given.",
)


@dataclass(frozen=True)
class Calibration:
    """Row and column spacing in mm, the B-mode area, and what a reader should know about them."""

    spacing_mm: tuple[float, float] | None = None
    region: Box | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Region:
    box: Box
    spacing_mm: tuple[float, float] | None


def calibrate(dataset: Dataset, width: int, height: int) -> Calibration:
    """Calibration of an image of `width` x `height` pixels.

    The Sequence of Ultrasound Regions (PS3.3, C.8.5.5) comes first, Pixel Spacing second. A region that does not fit
    the image belongs to an original of another size; neither its place nor its scale is believed.
    """
    found = [
        _region(item)
        for item in dataset.get("SequenceOfUltrasoundRegions") or ()
        if _is_b_mode(item)
    ]
    b_mode = [region for region in found if region]
    if any(_reaches_beyond(region.box, width, height) for region in b_mode):
        return Calibration(findings=(ASTRAY,))
    if not b_mode:
        return Calibration(_pixel_spacing(dataset))
    chosen = max(b_mode, key=lambda region: region.box.width * region.box.height)
    box = _clipped(chosen.box, width, height)
    return Calibration(chosen.spacing_mm, box, (SEVERAL,) if len(b_mode) > 1 else ())


def regions(dataset: Dataset, width: int, height: int) -> tuple[Box, ...]:
    """Every ultrasound region of an image of `width` x `height` pixels, of whatever kind: image, trace or scale.

    None where one does not fit the image, or where none is two-dimensional: then they do not tell where the image is.
    """
    items = dataset.get("SequenceOfUltrasoundRegions") or ()
    boxes = [found.box for item in items if (found := _region(item))]
    if any(_reaches_beyond(box, width, height) for box in boxes):
        return ()
    if not any(
        item.get("RegionSpatialFormat") == TWO_DIMENSIONAL and _region(item)
        for item in items
    ):
        return ()
    return tuple(_clipped(box, width, height) for box in boxes)


def _is_b_mode(item: Dataset) -> bool:
    return bool(
        item.get("RegionSpatialFormat") == TWO_DIMENSIONAL
        and item.get("RegionDataType") == TISSUE
    )


def _region(item: Dataset) -> _Region | None:
    stated = [
        _number(item, f"RegionLocation{name}")
        for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    ]
    corners = [int(corner) for corner in stated if corner is not None]
    if len(corners) < len(stated):
        return None
    left, top, right, bottom = corners
    if right <= left or bottom <= top or left < 0 or top < 0:
        return None
    return _Region(
        Box(left, top, right - left + 1, bottom - top + 1), _region_spacing(item)
    )


def _region_spacing(item: Dataset) -> tuple[float, float] | None:
    if any(
        _number(item, f"PhysicalUnits{axis}Direction") != CENTIMETRES for axis in "XY"
    ):
        return None
    rows_cm = _number(item, "PhysicalDeltaY")
    columns_cm = _number(item, "PhysicalDeltaX")
    return (
        None
        if rows_cm is None or columns_cm is None
        else _plausible(10 * abs(rows_cm), 10 * abs(columns_cm))
    )


def _pixel_spacing(dataset: Dataset) -> tuple[float, float] | None:
    spacing = dataset.get("PixelSpacing")
    return (
        _plausible(float(spacing[0]), float(spacing[1]))
        if spacing and len(spacing) == 2
        else None
    )


def _plausible(rows_mm: float, columns_mm: float) -> tuple[float, float] | None:
    low, high = PLAUSIBLE_MM
    return (
        (rows_mm, columns_mm)
        if low <= rows_mm <= high and low <= columns_mm <= high
        else None
    )


def _reaches_beyond(box: Box, width: int, height: int) -> bool:
    """Some makers give the last pixel, some the one after it; more than that is astray."""
    return box.x + box.width > width + 1 or box.y + box.height > height + 1


def _clipped(box: Box, width: int, height: int) -> Box:
    return Box(
        box.x, box.y, min(box.width, width - box.x), min(box.height, height - box.y)
    )


def _number(item: Dataset, name: str) -> float | None:
    value = item.get(name)
    return (
        float(value)
        if isinstance(value, int | float) and math.isfinite(value)
        else None
    )
