"""Millimetres per pixel and the B-mode areas, as a DICOM file states them."""

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from shared.domain.results.findings import Finding
from shared.imaging.dicom.findings import values_left_aside
from shared.imaging.image import SCALE_TOLERANCE, Box, Region, Spacing, is_same_scale

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
REGIONS = "SequenceOfUltrasoundRegions"
MAX_ZOOM = 8
"""How much finer than its field a zoomed inset may be. A confusion of mm and cm makes 10."""
MIN_TWIN_OVERLAP = 0.9
"""Share of the larger of two regions that they have in common if they are one."""

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
SCALE_CONTRADICTED = Finding(
    "scale-contradicted",
    "What the file says of its scale contradicts itself. At most the scale of its ultrasound "
    "regions was used, and none where two of them disagree. Type the nodule's size, or check it.",
)


@dataclass(frozen=True)
class Calibration:
    """The calibration of an image.

    Attributes
    ----------
    spacing_mm : row and column spacing of `region`
    region : the largest B-mode area
    regions : all B-mode areas, and beside them the others that are measured in millimetres
    findings : problems that the user should know about
    """

    spacing_mm: Spacing | None = None
    region: Box | None = None
    regions: tuple[Region, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Area:
    """A picture as the file states it, before its scale is believed."""

    box: Box
    spacing_mm: Spacing | None
    is_b_mode: bool
    is_low_priority: bool

    def is_twin(self, area: "_Area") -> bool:
        """Return whether another area has the same place and another scale."""
        boxes = [self.box, area.box]
        sizes = [box.width * box.height for box in boxes]
        is_same_place = self.box.overlap(area.box) >= MIN_TWIN_OVERLAP * max(sizes)
        has_scales = self.spacing_mm is not None and area.spacing_mm is not None
        is_same = is_same_scale(self.spacing_mm, area.spacing_mm)
        return is_same_place and has_scales and not is_same

    def is_field(self) -> bool:
        """Return whether its scale is that of a whole thyroid ultrasound."""
        shallowest, deepest = DEPTH_MM_RANGE
        if self.spacing_mm is None:
            return False
        return shallowest <= self.spacing_mm[0] * self.box.height <= deepest


def calibrate(dataset: Dataset, width: int, height: int) -> Calibration:
    """Return the calibration of an image of `width` x `height` pixels.

    The Sequence of Ultrasound Regions (PS3.3, C.8.5.5) comes first, Pixel Spacing second. A region
    that does not fit into the image belongs to an original of another size. Its position and its
    scale are ignored.

    A scale is believed only if it makes the field of a thyroid ultrasound 15 to 100 mm deep. The
    depth is the height of the region. A zoomed inset shows a part of the field, so a shallower
    region is believed beside one that is deep enough, if its pixels are finer, but not absurdly.

    Without a region the depth is the height of the whole image. The borders of a screen make that
    larger than the field, and a crop makes it smaller. A crop that shows less than 15 mm loses its
    scale, because nothing tells it from a wrong scale; the finding asks for the size.
    """
    areas = _areas(dataset, width, height)
    b_mode_areas = [area for area in areas if area.is_b_mode]
    if any(_exceeds_image(area.box, width, height) for area in b_mode_areas):
        return Calibration(findings=(CALIBRATION_REFUSED,))
    unplaced = _unplaced_findings(dataset)
    if not b_mode_areas:
        spacing_mm, problems = _image_spacing(dataset, areas, height)
        return Calibration(spacing_mm=spacing_mm, findings=(*unplaced, *problems))
    findings = [*unplaced, SEVERAL_REGIONS] if len(b_mode_areas) > 1 else [*unplaced]
    regions: list[Region] = []
    for area in areas:
        problem = _area_problem(area, b_mode_areas)
        findings += [problem] if problem else []
        regions.append(
            Region(
                box=_clipped(area.box, width, height),
                spacing_mm=None if problem else area.spacing_mm,
                is_low_priority=area.is_low_priority,
                is_b_mode=area.is_b_mode,
            )
        )
    b_mode_regions = [region for region in regions if region.is_b_mode]
    largest = max(b_mode_regions, key=lambda region: region.area)
    if _is_contradicted(dataset, regions, largest, height):
        findings.append(SCALE_CONTRADICTED)
    return Calibration(
        spacing_mm=largest.spacing_mm,
        region=largest.box,
        regions=tuple(regions),
        findings=tuple(dict.fromkeys(findings)),
    )


def _area_problem(area: _Area, b_mode_areas: list[_Area]) -> Finding | None:
    """Return why the scale of an area cannot be used, or None.

    What is no B-mode picture is only compared with one.
    """
    if not area.is_b_mode:
        return None
    if area.spacing_mm is None:
        return SCALE_UNITS
    if any(map(area.is_twin, b_mode_areas)):
        return SCALE_CONTRADICTED
    fields = [field.spacing_mm for field in b_mode_areas if field.is_field()]
    is_zoom = any(field and _is_zoom(area.spacing_mm, field) for field in fields)
    return _scale_problem(area.spacing_mm, area.box.height, may_be_inset=is_zoom)


def _is_zoom(inset_mm: Spacing, field_mm: Spacing) -> bool:
    """Return whether a scale may be that of a zoomed inset of a field."""
    zoom = field_mm[0] / inset_mm[0]
    return 1 - SCALE_TOLERANCE <= zoom <= MAX_ZOOM


def _is_contradicted(
    dataset: Dataset, regions: list[Region], largest: Region, height: int
) -> bool:
    """Return whether the image states a scale or a shape of its pixels that no region has."""
    spacing_mm = _pair(dataset, "PixelSpacing")
    if spacing_mm and not _spacing_problem(spacing_mm, height):
        scales = [region.spacing_mm for region in regions if region.spacing_mm]
        if _is_other_scale(spacing_mm, scales):
            return True
    return bool(largest.spacing_mm) and not _has_aspect(dataset, largest.spacing_mm)


def _image_spacing(
    dataset: Dataset, areas: list[_Area], height: int
) -> tuple[Spacing | None, tuple[Finding, ...]]:
    """Return Pixel Spacing as the scale of an image without a B-mode region.

    Where the file names regions and none is a picture, the image is something else, such as a
    spectrum.
    """
    spacing_mm = _pair(dataset, "PixelSpacing")
    if spacing_mm is None:
        return None, ()
    problem = _spacing_problem(spacing_mm, height)
    if problem:
        return None, (problem,)
    items = _region_items(dataset)
    is_picture = not items or any(_is_two_dimensional(item) for item in items)
    scales = [area.spacing_mm for area in areas if area.spacing_mm]
    if (
        not is_picture
        or _is_other_scale(spacing_mm, scales)
        or not _has_aspect(dataset, spacing_mm)
    ):
        return None, (SCALE_CONTRADICTED,)
    return spacing_mm, ()


def _is_other_scale(spacing_mm: Spacing, scales: list[Spacing]) -> bool:
    """Return whether there are scales, and none of them is this one."""
    is_known = any(is_same_scale(spacing_mm, scale) for scale in scales)
    return bool(scales) and not is_known


def _spacing_problem(spacing_mm: Spacing, height: int) -> Finding | None:
    if spacing_mm == DEFAULT_SPACING_MM:
        return SCALE_DEFAULT
    return _scale_problem(spacing_mm, height)


def _has_aspect(dataset: Dataset, spacing_mm: Spacing | None) -> bool:
    """Return whether Pixel Aspect Ratio (PS3.3, C.7.6.3.1.7) agrees with a spacing.

    1 to 1 is what a file says that says nothing.
    """
    aspect = _pair(dataset, "PixelAspectRatio")
    if spacing_mm is None or aspect is None or min(aspect) <= 0:
        return True
    vertical, horizontal = aspect
    if vertical == horizontal:
        return True
    rows_mm, columns_mm = spacing_mm
    return math.isclose(
        vertical / horizontal, rows_mm / columns_mm, rel_tol=SCALE_TOLERANCE
    )


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
    return list(dataset.get(REGIONS) or ())


def _is_picture(item: Dataset) -> bool:
    is_tissue = _number(item, "RegionDataType") in PICTURE_TYPES
    return is_tissue and _is_two_dimensional(item)


def _is_two_dimensional(item: Dataset) -> bool:
    return _number(item, "RegionSpatialFormat") == TWO_DIMENSIONAL


def _is_b_mode(item: Dataset) -> bool:
    is_tissue = _number(item, "RegionDataType") == TISSUE
    return is_tissue and _is_two_dimensional(item)


def _areas(dataset: Dataset, width: int, height: int) -> list[_Area]:
    """Parse the B-mode pictures, and other pictures in centimetres that lie in the image."""
    areas: list[_Area] = []
    image_box = Box(x=0, y=0, width=width, height=height)
    for item in filter(_is_two_dimensional, _region_items(dataset)):
        box = _region_box(item)
        spacing_mm = _spacing(item)
        is_b_mode = _is_b_mode(item)
        if box and (is_b_mode or (spacing_mm and box.overlap(image_box))):
            areas.append(
                _Area(
                    box=box,
                    spacing_mm=spacing_mm,
                    is_b_mode=is_b_mode,
                    is_low_priority=_is_low_priority(item),
                )
            )
    return areas


def _spacing(item: Dataset) -> Spacing | None:
    """Return the spacing of a region that is measured in centimetres in both directions."""
    rows_cm = _number(item, "PhysicalDeltaY")
    columns_cm = _number(item, "PhysicalDeltaX")
    units = {_number(item, f"PhysicalUnits{axis}Direction") for axis in "XY"}
    if not rows_cm or not columns_cm or units != {CENTIMETRES}:
        return None
    return 10 * abs(rows_cm), 10 * abs(columns_cm)


def _unplaced_findings(dataset: Dataset) -> tuple[Finding, ...]:
    """Return a finding if a B-mode region has no corners that can be used."""
    items = _region_items(dataset)
    is_unplaced = any(_is_b_mode(item) and not _region_box(item) for item in items)
    return values_left_aside([REGIONS] if is_unplaced else [])


def _is_low_priority(item: Dataset) -> bool:
    return bool(int(_number(item, "RegionFlags") or 0) & LOW_PRIORITY)


def _region_box(item: Dataset) -> Box | None:
    """Return the position of a region. None if its corners are missing or no area."""
    values = [_number(item, keyword) for keyword in CORNER_KEYWORDS]
    corners = [int(value) for value in values if value is not None]
    if len(corners) < len(values):
        return None
    left, right = sorted(corners[0::2])
    top, bottom = sorted(corners[1::2])
    if right == left or bottom == top or left < 0 or top < 0:
        return None
    return Box(x=left, y=top, width=right - left + 1, height=bottom - top + 1)


def _scale_problem(
    spacing_mm: Spacing, height: int, may_be_inset: bool = False
) -> Finding | None:
    """Return why a scale cannot be that of a field of `height` pixels, or None.

    Ultrasound pixels are nearly square, so a column spacing that is far from the row spacing is no
    scale either.
    """
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


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    """Return two numbers, or None if the attribute does not hold two."""
    value = dataset.get(keyword)
    if not value or isinstance(value, int | float) or len(value) != 2:
        return None
    return float(value[0]), float(value[1])
