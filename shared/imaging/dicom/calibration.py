"""Millimetres per pixel and the B-mode areas, as a DICOM file states them."""

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from shared.domain.results.findings import Finding
from shared.imaging.image import Box, Region

CENTIMETRES = 3
"""Physical units code (PS3.3, C.8.5.5.1.15)."""
TWO_DIMENSIONAL = 1
"""Region spatial format (PS3.3, C.8.5.5.1.1). The others are strips, traces and graphics."""
TISSUE = 1
COLOUR_FLOW = 2
INTEGRATED_BACKSCATTER = 0xF
PICTURE_TYPES = (TISSUE, COLOUR_FLOW, INTEGRATED_BACKSCATTER)
"""Region data types that are pictures of tissue (PS3.3, C.8.5.5.1.2).

The others are none at all, spectra, traces, and the bars of greys and colours.
"""
LOW_PRIORITY = 1
"""Bit 0 of the region flags (PS3.3, C.8.5.5.1.3)."""
DEPTH_MM_RANGE = (15.0, 100.0)
"""Smallest and largest plausible depth of the field of a thyroid ultrasound."""
MAX_ASPECT = 4
"""Largest ratio of the two spacings of a picture."""
DEFAULT_SPACING_MM = (1.0, 1.0)
"""What converters write into Pixel Spacing where they know none."""
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
    "The file holds several B-mode regions. Where no ROI is given, the largest is read; "
    "a nodule is measured by the region that holds it.",
)
SCALE_UNITS = Finding(
    "scale-units",
    "The file's B-mode picture is not calibrated in millimetres in both directions, "
    "so its scale was not used. Type the nodule's size.",
)
SCALE_DEFAULT = Finding(
    "scale-default",
    "The file's Pixel Spacing is 1 by 1 mm, which converters write where they know no scale; "
    "it was not used. Type the nodule's size.",
)


@dataclass(frozen=True)
class Calibration:
    """The calibration of an image.

    Attributes
    ----------
    spacing_mm : row and column spacing of `region`
    region : the largest B-mode area
    regions : all B-mode areas
    findings : problems that the user should know about
    """

    spacing_mm: Spacing | None = None
    region: Box | None = None
    regions: tuple[Region, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Area:
    """A B-mode area as the file states it, before its scale is believed."""

    box: Box
    spacing_mm: Spacing | None
    problem: Finding | None
    is_low_priority: bool

    @property
    def depth_mm(self) -> float:
        """Depth by the area's scale; 0 without a scale in centimetres."""
        if self.spacing_mm is None or self.problem:
            return 0.0
        return self.spacing_mm[0] * self.box.height


def calibrate(dataset: Dataset, width: int, height: int) -> Calibration:
    """Return the calibration of an image of `width` x `height` pixels.

    The Sequence of Ultrasound Regions (PS3.3, C.8.5.5) comes first, Pixel Spacing second. A region
    that does not fit into the image belongs to an original of another size. Its position and its
    scale are ignored.

    A scale is believed only if it makes the field of a thyroid ultrasound 15 to 100 mm deep. The
    depth is the height of the region. A zoomed inset shows a part of the field, so a shallower
    region is believed beside one that is deep enough.

    Without a region the depth is the height of the whole image. The borders of a screen make that
    larger than the field, and a crop makes it smaller. A crop that shows less than 15 mm loses its
    scale, because nothing tells it from a wrong scale; the finding asks for the size.
    """
    areas = [area for item in _region_items(dataset) if (area := _b_mode_area(item))]
    if any(_exceeds_image(area.box, width, height) for area in areas):
        return Calibration(findings=(CALIBRATION_REFUSED,))
    if not areas:
        return _image_calibration(dataset, height)
    shallowest, deepest = DEPTH_MM_RANGE
    has_field = any(shallowest <= area.depth_mm <= deepest for area in areas)
    regions: list[Region] = []
    findings = [SEVERAL_REGIONS] if len(areas) > 1 else []
    for area in areas:
        problem = area.problem or _scale_problem(
            area.spacing_mm, area.box.height, may_be_inset=has_field
        )
        findings += [problem] if problem else []
        regions.append(
            Region(
                box=_clipped(area.box, width, height),
                spacing_mm=None if problem else area.spacing_mm,
                is_low_priority=area.is_low_priority,
            )
        )
    largest = max(regions, key=lambda region: region.area)
    return Calibration(
        spacing_mm=largest.spacing_mm,
        region=largest.box,
        regions=tuple(regions),
        findings=tuple(dict.fromkeys(findings)),
    )


def _image_calibration(dataset: Dataset, height: int) -> Calibration:
    """Return the calibration by Pixel Spacing, for an image without regions."""
    spacing = dataset.get("PixelSpacing")
    if not spacing or len(spacing) != 2:
        return Calibration()
    spacing_mm = (float(spacing[0]), float(spacing[1]))
    if spacing_mm == DEFAULT_SPACING_MM:
        return Calibration(findings=(SCALE_DEFAULT,))
    problem = _scale_problem(spacing_mm, height)
    if problem:
        return Calibration(findings=(problem,))
    return Calibration(spacing_mm=spacing_mm)


def picture_regions(dataset: Dataset, width: int, height: int) -> tuple[Box, ...]:
    """Return the regions of an image of `width` x `height` pixels that are pictures of tissue.

    Strips, spectra, traces and regions of no data type are not: a banner with the patient's name
    may lie in them. The result is empty if there is no picture, or if one does not fit into the
    image. In both cases the position of the ultrasound image remains unknown.
    """
    boxes: list[Box] = []
    for item in _region_items(dataset):
        box = _region_box(item)
        if box and _is_picture(item):
            boxes.append(box)
    if any(_exceeds_image(box, width, height) for box in boxes):
        return ()
    return tuple(_clipped(box, width, height) for box in boxes)


def _region_items(dataset: Dataset) -> list[Dataset]:
    return list(dataset.get("SequenceOfUltrasoundRegions") or ())


def _is_picture(item: Dataset) -> bool:
    is_image = _number(item, "RegionSpatialFormat") == TWO_DIMENSIONAL
    return is_image and _number(item, "RegionDataType") in PICTURE_TYPES


def _b_mode_area(item: Dataset) -> _Area | None:
    """Parse a region. None if it is no B-mode picture, or its corners are missing or invalid."""
    is_image = _number(item, "RegionSpatialFormat") == TWO_DIMENSIONAL
    is_tissue = _number(item, "RegionDataType") == TISSUE
    box = _region_box(item)
    if box is None or not is_image or not is_tissue:
        return None
    rows_cm = _number(item, "PhysicalDeltaY")
    columns_cm = _number(item, "PhysicalDeltaX")
    spacing_mm = None
    problem = None
    if rows_cm and columns_cm:
        spacing_mm = (10 * abs(rows_cm), 10 * abs(columns_cm))
        units = {_number(item, f"PhysicalUnits{axis}Direction") for axis in "XY"}
        problem = None if units == {CENTIMETRES} else SCALE_UNITS
    return _Area(
        box=box,
        spacing_mm=spacing_mm,
        problem=problem,
        is_low_priority=_is_low_priority(item),
    )


def _is_low_priority(item: Dataset) -> bool:
    return bool(int(_number(item, "RegionFlags") or 0) & LOW_PRIORITY)


def _region_box(item: Dataset) -> Box | None:
    """Return the position of a region. None if its corners are missing or invalid."""
    values = [_number(item, keyword) for keyword in CORNER_KEYWORDS]
    corners = [int(value) for value in values if value is not None]
    if len(corners) < len(values):
        return None
    left, top, right, bottom = corners
    if right <= left or bottom <= top or left < 0 or top < 0:
        return None
    return Box(x=left, y=top, width=right - left + 1, height=bottom - top + 1)


def _scale_problem(
    spacing_mm: Spacing | None, height: int, may_be_inset: bool = False
) -> Finding | None:
    """Return why a scale cannot be that of a field of `height` pixels, or None.

    Ultrasound pixels are nearly square, so a column spacing that is far from the row spacing is no
    scale either.
    """
    if spacing_mm is None:
        return None
    rows_mm, columns_mm = spacing_mm
    shallowest, deepest = DEPTH_MM_RANGE
    depth_mm = rows_mm * height
    if depth_mm > deepest or (depth_mm < shallowest and not may_be_inset):
        return _implausible(depth_mm)
    if not 1 / MAX_ASPECT <= columns_mm / rows_mm <= MAX_ASPECT:
        return SCALE_UNITS
    return None


def _implausible(depth_mm: float) -> Finding:
    shallowest, deepest = DEPTH_MM_RANGE
    return Finding(
        "scale-implausible",
        f"By the file's own scale the picture would be {depth_mm:.3g} mm deep; a thyroid "
        f"ultrasound is {shallowest:g} to {deepest:g} mm deep, so the scale was not used. "
        "Send the whole picture, or type the nodule's size.",
        {"depth_mm": round(depth_mm, 2)},
    )


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
    try:
        value = item.get(keyword)
    except Exception:  # noqa: BLE001 - pydicom has no common error for bad values
        return None
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None
