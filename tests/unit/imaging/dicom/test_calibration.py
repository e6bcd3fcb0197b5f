"""The millimetres of a nodule are those of the region that holds it, if they can be true."""

import pytest

from shared.imaging import Box, Roi, crop, decode
from shared.imaging.deidentify import clean
from tests.support.builders import dicom_file
from tests.support.dicom_files import (
    KEY,
    codes,
    region,
    tissue,
    with_raw_value,
)

FIELD = {"PhysicalDeltaX": 0.04, "PhysicalDeltaY": 0.04}
ZOOM = {"PhysicalDeltaX": 0.01, "PhysicalDeltaY": 0.01}
WHOLE = {"left": 0, "top": 0, "right": 95, "bottom": 63}
INSET = {"left": 48, "top": 32, "right": 87, "bottom": 59}
ON_FIELD = {"box": [4, 4, 20, 10]}
ON_INSET = {"box": [52, 36, 20, 10]}


def file_of(*regions, **elements) -> bytes:
    return dicom_file(tissue(), SequenceOfUltrasoundRegions=list(regions), **elements)


def diameter_mm(data: bytes, roi: dict) -> float | None:
    """The diameter by the cleaned file, as a case is read."""
    image = decode(clean(data, KEY).data)
    return crop(image, Roi.parse(roi)).diameter_mm


def test_a_region_gives_place_and_spacing():
    image = decode(file_of(region()))
    assert image.region == Box(4, 2, 56, 40)
    assert image.spacing_mm == pytest.approx((0.4, 0.5))
    assert image.findings == ()


@pytest.mark.parametrize("order", [1, -1])
def test_of_overlapping_regions_the_smallest_measures_what_it_holds(order):
    regions = [region(**WHOLE, **FIELD), region(**INSET, **ZOOM)][::order]
    data = file_of(*regions)
    assert diameter_mm(data, ON_FIELD) == pytest.approx(8)
    assert diameter_mm(data, ON_INSET) == pytest.approx(2)
    image = decode(data)
    assert image.region == Box(0, 0, 96, 64)
    assert codes(image) == ["several-regions"]


def test_priority_goes_before_size():
    """PS3.3, C.8.5.5.1.3: bit 0 of the region flags is set for pixels of low priority."""
    under = region(**INSET, **ZOOM, RegionFlags=0b101)
    data = file_of(region(**WHOLE, **FIELD, RegionFlags=0b100), under)
    assert diameter_mm(data, ON_INSET) == pytest.approx(8)


OTHER_SCALE = {"PhysicalDeltaX": 0.08, "PhysicalDeltaY": 0.08}


@pytest.mark.parametrize("zoom", [10, 1000, 0.5])
def test_a_scale_that_no_inset_of_the_field_has_is_not_believed(zoom):
    shallow = {**INSET, "bottom": 46}
    delta_cm = 0.04 / zoom
    inset = region(**shallow, PhysicalDeltaX=delta_cm, PhysicalDeltaY=delta_cm)
    data = file_of(region(**WHOLE, **FIELD), inset)
    assert diameter_mm(data, ON_FIELD) == pytest.approx(8)
    assert diameter_mm(data, ON_INSET) is None
    assert codes(decode(data)) == ["several-regions", "scale-implausible"]


@pytest.mark.parametrize("low_priority", [0, 1])
@pytest.mark.parametrize("right", [95, 94])
def test_two_scales_of_one_place_are_none(low_priority, right):
    twin = region(**{**WHOLE, "right": right}, **OTHER_SCALE, RegionFlags=low_priority)
    data = file_of(region(**WHOLE, **FIELD), twin)
    assert decode(data).spacing_mm is None
    assert diameter_mm(data, ON_FIELD) is None
    assert codes(decode(data)) == ["several-regions", "scale-contradicted"]


@pytest.mark.parametrize("kind", [0, 2])
def test_another_picture_over_the_nodule_may_not_have_another_scale(kind):
    """Colour flow, and a picture of no stated kind."""
    field = region(**WHOLE, **FIELD)
    agreeing = file_of(field, region(**INSET, **FIELD, RegionDataType=kind))
    assert diameter_mm(agreeing, ON_INSET) == pytest.approx(8)
    other = file_of(field, region(**INSET, **OTHER_SCALE, RegionDataType=kind))
    assert diameter_mm(other, ON_INSET) is None
    assert diameter_mm(other, ON_FIELD) == pytest.approx(8)


@pytest.mark.parametrize("units", [3, 0])
def test_an_inset_under_a_part_of_the_nodule_takes_its_millimetres(units):
    inset = region(**INSET, **ZOOM, PhysicalUnitsXDirection=units)
    data = file_of(region(**WHOLE, **FIELD), inset)
    assert diameter_mm(data, {"box": [30, 36, 28, 10]}) is None


def test_regions_side_by_side_measure_each_its_own():
    left = region(left=0, top=0, right=47, bottom=63, **FIELD)
    right = region(left=48, top=0, right=95, bottom=63, **OTHER_SCALE)
    data = file_of(left, right)
    assert diameter_mm(data, ON_FIELD) == pytest.approx(8)
    assert diameter_mm(data, {"box": [52, 4, 20, 10]}) == pytest.approx(16)
    assert diameter_mm(data, {"box": [40, 4, 20, 10]}) is None


def test_a_nodule_that_reaches_out_of_its_inset_has_no_millimetres():
    data = file_of(region(**WHOLE, **FIELD), region(**INSET, **ZOOM))
    assert diameter_mm(data, {"box": [44, 36, 30, 10]}) is None


def test_doppler_and_traces_give_no_scale():
    image = decode(file_of(region(RegionDataType=2), region(RegionSpatialFormat=3)))
    assert (image.region, image.spacing_mm, image.regions) == (None, None, ())


@pytest.mark.parametrize(
    "units", [{"PhysicalUnitsXDirection": 4}, {"PhysicalUnitsYDirection": 0}]
)
def test_units_are_checked_in_both_directions(units):
    image = decode(file_of(region(**units)))
    assert image.region == Box(4, 2, 56, 40)
    assert image.spacing_mm is None
    assert codes(image) == ["scale-units"]


@pytest.mark.parametrize(
    ("delta_cm", "depth_mm"), [(0.03, 12), (0.3, 120), (0.0375, None), (0.25, None)]
)
def test_a_region_is_15_to_100_mm_deep_or_has_no_scale(delta_cm, depth_mm):
    image = decode(file_of(region(PhysicalDeltaX=delta_cm, PhysicalDeltaY=delta_cm)))
    found = [finding.facts["depth_mm"] for finding in image.findings]
    assert found == ([] if depth_mm is None else [pytest.approx(depth_mm)])
    assert (image.spacing_mm is None) is (depth_mm is not None)


@pytest.mark.parametrize("delta", [0.0, float("nan"), None])
def test_a_region_without_a_scale_says_so(delta):
    image = decode(file_of(region(PhysicalDeltaX=delta)))
    assert image.spacing_mm is None
    assert codes(image) == ["scale-units"]


def test_swapped_corners_are_the_same_corners():
    image = decode(file_of(region(left=59, top=41, right=4, bottom=2)))
    assert image.region == Box(4, 2, 56, 40)
    assert image.spacing_mm == pytest.approx((0.4, 0.5))


def test_a_region_without_an_area_is_left_aside_with_a_finding():
    image = decode(file_of(region(right=4), PixelSpacing=[0.4, 0.4]))
    assert (image.region, image.regions) == (None, ())
    assert codes(image) == ["header-value-unusable"]


def test_the_direction_of_an_axis_does_not_matter():
    image = decode(file_of(region(PhysicalDeltaY=-0.04)))
    assert image.spacing_mm == pytest.approx((0.4, 0.5))


def test_a_column_spacing_far_from_the_row_spacing_is_no_scale():
    assert codes(decode(file_of(region(PhysicalDeltaX=0.4)))) == ["scale-units"]


def test_a_region_beyond_the_image_is_not_believed():
    image = decode(file_of(region(right=120), PixelSpacing=[0.4, 0.4]))
    assert (image.region, image.spacing_mm, codes(image)) == (
        None,
        None,
        ["calibration-refused"],
    )


def test_of_two_regions_the_larger_is_taken_and_reported():
    image = decode(file_of(region(right=20), region(left=21)))
    assert image.region == Box(21, 2, 39, 40)
    assert codes(image) == ["several-regions"]


def test_pixel_spacing_serves_where_there_is_no_region():
    image = decode(dicom_file(tissue(), PixelSpacing=[0.41, 0.42]))
    assert image.spacing_mm == pytest.approx((0.41, 0.42))


@pytest.mark.parametrize(
    "regions",
    [
        [region(RegionSpatialFormat=3, RegionDataType=3)],
        [region(RegionDataType=2)],
        [region(RegionSpatialFormat=3, RegionDataType=3), region(RegionDataType=2)],
    ],
    ids=["spectrum", "colour flow of another scale", "both"],
)
def test_pixel_spacing_is_no_scale_of_other_regions(regions):
    image = decode(file_of(*regions, PixelSpacing=[0.41, 0.41]))
    assert image.spacing_mm is None
    assert codes(image) == ["scale-contradicted"]


def test_pixel_spacing_serves_where_colour_flow_agrees():
    image = decode(file_of(region(RegionDataType=2), PixelSpacing=[0.4, 0.5]))
    assert image.spacing_mm == pytest.approx((0.4, 0.5))


@pytest.mark.parametrize(
    ("spacing", "findings"),
    [([0.4, 0.5], []), ([0.6, 0.6], ["scale-contradicted"]), ([1, 1], [])],
)
def test_a_region_measures_and_another_pixel_spacing_is_said(spacing, findings):
    image = decode(file_of(region(), PixelSpacing=spacing))
    assert image.spacing_mm == pytest.approx((0.4, 0.5))
    assert codes(image) == findings


@pytest.mark.parametrize("aspect", [[2, 1], [1, 2]])
def test_a_pixel_aspect_ratio_that_contradicts_the_spacing_leaves_no_scale(aspect):
    square = {"PixelSpacing": [0.4, 0.4], "PixelAspectRatio": aspect}
    image = decode(clean(dicom_file(tissue(), **square), KEY).data)
    assert image.spacing_mm is None
    assert codes(image) == ["scale-contradicted"]


@pytest.mark.parametrize("aspect", [[4, 5], [1, 1], [0, 1]])
def test_a_pixel_aspect_ratio_that_agrees_or_says_nothing_does_not_matter(aspect):
    oblong = {"PixelSpacing": [0.4, 0.5], "PixelAspectRatio": aspect}
    image = decode(dicom_file(tissue(), **oblong))
    assert image.spacing_mm == pytest.approx((0.4, 0.5))
    assert image.findings == ()


def test_a_region_measures_and_a_contradicting_pixel_aspect_ratio_is_said():
    image = decode(file_of(region(), PixelAspectRatio=[2, 1]))
    assert image.spacing_mm == pytest.approx((0.4, 0.5))
    assert codes(image) == ["scale-contradicted"]


def test_a_pixel_spacing_of_one_is_the_default_of_converters_and_no_scale():
    data = dicom_file(tissue(), PixelSpacing=[1, 1])
    assert codes(decode(data)) == ["scale-default"]
    assert diameter_mm(data, ON_FIELD) is None


@pytest.mark.parametrize("spacing", [[0, 0], [50, 50], [0.4, 1e-9], [0.2, 0.2]])
def test_an_impossible_spacing_is_left_out_with_a_finding(spacing):
    image = decode(dicom_file(tissue(), PixelSpacing=spacing))
    assert image.spacing_mm is None
    assert len(image.findings) == 1


@pytest.mark.parametrize(
    ("text", "spacing_mm", "findings"),
    [
        ("0,41\\0,42", (0.41, 0.42), []),
        ("0.41", None, ["header-value-unusable"]),
        ("none\\0.4", None, ["header-value-unusable"]),
    ],
)
def test_a_comma_in_a_spacing_is_decimal_and_other_text_is_no_spacing(
    text, spacing_mm, findings
):
    image = decode(with_raw_value(dicom_file(tissue()), "PixelSpacing", text))
    assert image.spacing_mm == (spacing_mm and pytest.approx(spacing_mm))
    assert codes(image) == findings
