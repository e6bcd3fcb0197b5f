from dataclasses import replace

import numpy as np
import pytest

from shared.domain.results.findings import Finding
from shared.domain.results.roi_source import RoiSource
from shared.imaging import (
    Box,
    Click,
    Framing,
    ImageBlank,
    ImageFormat,
    ProposedRoi,
    Roi,
    RoiOutsideImage,
    UltrasoundImage,
    crop,
    find_outlines,
)
from shared.phantoms import draw
from tests.support.builders import MARK_GREY, Screen

NOTE = Finding("note", "Something was seen.")
LARGE_BOX = {"box": [8, 8, 240, 240]}


def image(region: Box | None = None) -> UltrasoundImage:
    pixels = np.arange(60 * 100, dtype=np.uint16).reshape(60, 100).astype(np.uint8)
    return UltrasoundImage(pixels, ImageFormat.PNG, region=region, findings=(NOTE,))


def test_a_box_is_cut_out():
    nodule = crop(image(), Roi.parse({"box": [20, 10, 30, 16]}))
    assert (nodule.pixels == image().pixels[10:26, 20:50]).all()
    assert not nodule.has_outline
    assert nodule.findings[0] == NOTE


def test_a_box_stands_for_the_ellipse_inside_it():
    nodule = crop(image(), Roi.parse({"box": [20, 10, 30, 16]}))
    assert nodule.mask.sum() == pytest.approx(np.pi * 15 * 8, rel=0.01)
    assert nodule.mask[8].all()
    assert nodule.mask[:, 15].all()
    assert not nodule.mask[0, 0]
    assert not nodule.mask[-1, -1]
    np.testing.assert_array_equal(nodule.mask, nodule.mask[::-1, ::-1])


def test_a_polygon_marks_the_nodule_inside_its_bounds():
    nodule = crop(image(), Roi.parse({"polygon": [[20, 10], [49, 10], [20, 30]]}))
    assert nodule.has_outline
    assert nodule.pixels.shape == nodule.mask.shape == (21, 30)
    assert nodule.mask[0].all()
    assert nodule.mask[-1].sum() <= 2


def test_a_margin_adds_tissue_but_no_nodule():
    nodule = crop(image(), Roi.parse({"box": [40, 20, 20, 10]}), Framing(0.5))
    assert nodule.pixels.shape == (20, 40)
    close = crop(image(), Roi.parse({"box": [40, 20, 20, 10]}))
    np.testing.assert_array_equal(nodule.mask[5:15, 10:30], close.mask)
    assert nodule.mask.sum() == close.mask.sum()


def test_a_margin_ends_at_the_image():
    nodule = crop(image(), Roi.parse({"box": [0, 44, 20, 16]}), Framing(0.5))
    assert nodule.pixels.shape == (24, 30)
    close = crop(image(), Roi.parse({"box": [0, 44, 20, 16]}))
    np.testing.assert_array_equal(nodule.mask[8:, :20], close.mask)
    assert nodule.mask.sum() == close.mask.sum()


def test_without_an_roi_the_region_is_taken_and_reported():
    nodule = crop(image(region=Box(30, 5, 50, 40)), None)
    assert nodule.pixels.shape == (40, 50)
    assert [finding.code for finding in nodule.findings][:2] == ["note", "roi-absent"]


def test_without_roi_and_region_the_whole_image_is_taken():
    assert crop(image(), None).pixels.shape == (60, 100)


def test_an_roi_beyond_the_image_is_refused():
    with pytest.raises(RoiOutsideImage):
        crop(image(), Roi.parse({"box": [90, 0, 20, 20]}))


def image_with_marks(*ends: tuple[int, int], **properties: object) -> UltrasoundImage:
    screen = Screen()
    for end in ends:
        screen.end(*end)
    return UltrasoundImage(screen.pixels, ImageFormat.PNG, **properties)


def codes(nodule) -> list[str]:
    return [finding.code for finding in nodule.findings]


TWO_ENDS = ((60, 150), (220, 150))
FOUR_ENDS = (*TWO_ENDS, (140, 90), (142, 214))


def test_marks_are_painted_over_and_counted():
    image = image_with_marks(*TWO_ENDS)
    nodule = crop(image, Roi.parse({"box": [40, 60, 200, 180]}))
    assert "calipers-removed" in codes(nodule)
    assert "2 burnt-in caliper marks" in next(
        f.message for f in nodule.findings if f.code == "calipers-removed"
    )
    assert nodule.pixels.max() < MARK_GREY == image.pixels.max()


def test_marks_inside_an_outlined_nodule_are_painted_over_as_well():
    nodule = crop(
        image_with_marks(*FOUR_ENDS),
        Roi.parse({"polygon": [[20, 150], [140, 60], [260, 150], [140, 250]]}),
    )
    assert nodule.has_outline
    assert nodule.pixels[nodule.mask].max() < MARK_GREY


def test_marks_outside_the_cut_are_not_counted():
    nodule = crop(image_with_marks(*TWO_ENDS), Roi.parse({"box": [100, 110, 80, 80]}))
    assert "calipers-removed" not in codes(nodule)


def test_without_an_roi_two_marks_give_a_box_to_be_checked():
    nodule = crop(image_with_marks(*TWO_ENDS), None)
    assert nodule.pixels.shape == pytest.approx((160, 160), abs=3)
    assert codes(nodule)[:2] == ["roi-from-calipers", "calipers-removed"]
    assert nodule.roi_source is RoiSource.CALIPERS
    assert nodule.crop_box == nodule.roi.bounds
    assert not nodule.has_outline


def test_without_an_roi_four_marks_give_an_ellipse():
    nodule = crop(image_with_marks(*FOUR_ENDS), None)
    assert 0.7 < nodule.mask.mean() < 0.85
    assert not nodule.has_outline, "an ellipse is not the nodule's own outline"


def test_an_roi_that_is_given_goes_before_the_marks():
    nodule = crop(
        image_with_marks(*TWO_ENDS),
        Roi.parse({"box": [100, 110, 80, 60]}),
        Framing(0.1),
    )
    assert nodule.pixels.shape == (72, 96)


def test_marks_outside_the_region_are_not_looked_for():
    nodule = crop(image_with_marks(*TWO_ENDS, region=Box(0, 180, 300, 100)), None)
    assert codes(nodule) == ["roi-absent"]
    assert nodule.pixels.shape == (100, 300)


def test_an_roi_from_marks_stays_in_the_region():
    nodule = crop(image_with_marks(*TWO_ENDS, region=Box(0, 100, 300, 120)), None)
    assert nodule.pixels.shape[0] == 120


def test_the_size_comes_from_the_roi_or_from_the_marks_where_the_image_is_calibrated():
    image = image_with_marks(*TWO_ENDS, spacing_mm=(0.2, 0.1))
    assert crop(image, None).diameter_mm == pytest.approx(16, abs=0.3)
    assert crop(
        image, Roi.parse({"box": [100, 100, 80, 50]})
    ).diameter_mm == pytest.approx(10)
    assert crop(image_with_marks(*TWO_ENDS), None).diameter_mm is None
    assert crop(image_with_marks(spacing_mm=(0.2, 0.1)), None).diameter_mm is None


def test_an_roi_outside_the_calibrated_region_is_not_measured():
    image = image_with_marks(region=Box(0, 0, 300, 90), spacing_mm=(0.1, 0.1))
    assert crop(image, Roi.parse({"box": [100, 100, 80, 50]})).diameter_mm is None


def test_one_even_grey_is_refused_with_and_without_an_roi():
    blank = UltrasoundImage(np.full((80, 80), 7, np.uint8), ImageFormat.PNG)
    for roi in (None, Roi.parse({"box": [10, 10, 40, 40]})):
        with pytest.raises(ImageBlank):
            crop(blank, roi)


def test_phantoms_are_read_alike_with_and_without_marks():
    """The crops with and without marks differ by less than one grey level on average."""
    for seed in range(6):
        plain, with_calipers = (
            crop(
                UltrasoundImage(draw(seed, caliper=caliper).pixels, ImageFormat.PNG),
                Roi.parse(LARGE_BOX),
            )
            for caliper in (False, True)
        )
        assert np.abs(plain.pixels.astype(int) - with_calipers.pixels).mean() < 1


def test_a_framing_may_leave_the_roi_that_marks_enclose_alone():
    nodule = crop(image_with_marks(*TWO_ENDS), None, Framing(calipers=False))
    assert nodule.mask.all()
    assert {finding.code for finding in nodule.findings} >= {
        "roi-absent",
        "calipers-removed",
    }


def test_two_framings_have_different_keys():
    assert {
        str(Framing(0.3)),
        str(Framing(0.3, calipers=False)),
        str(Framing(0.1)),
    } == {
        "0.3",
        "0.3-whole",
        "0.1",
    }


class FixedOutliner:
    """Draws the same triangle in every box, or proposes what it is told."""

    digest = "fixed"

    def __init__(self, *proposals: tuple[float, float, float, float]) -> None:
        self.proposals = proposals
        self.boxes: list[tuple[float, ...]] = []
        self.clicks: list[Click | None] = []

    def trace(self, pixels, roi):
        self.boxes.append(roi.real_box)
        x, y, width, height = roi.real_box
        return Roi(polygon=((x, y), (x + width - 1, y), (x, y + height - 1)))

    def propose(self, pixels, region, click=None):
        self.clicks.append(click)
        return [ProposedRoi(Roi(box=box), 0.75) for box in self.proposals]


@pytest.mark.parametrize(
    "given",
    [{"box": [20, 10, 30, 16]}, {"polygon": [[20, 10], [49, 10], [49, 25], [20, 25]]}],
)
def test_a_given_roi_is_only_where_the_outliner_draws(given):
    outliner = FixedOutliner()
    nodule = crop(image(), Roi.parse(given), Framing(outliner=outliner))
    assert nodule.has_outline
    assert nodule.roi_source is RoiSource.READER
    assert nodule.roi == Roi(polygon=((20, 10), (49, 10), (20, 25)))
    assert len(outliner.boxes) == 1


def test_the_given_roi_gives_the_size():
    calibrated = replace(image(), spacing_mm=(0.5, 0.5))
    roi = Roi.parse({"box": [20, 10, 40, 40]})
    outlined = crop(calibrated, roi, Framing(outliner=FixedOutliner()))
    assert outlined.diameter_mm == crop(calibrated, roi).diameter_mm


def test_without_an_roi_the_likeliest_nodule_alone_is_outlined_and_read():
    outliner = FixedOutliner((10, 5, 31, 31), (60, 5, 21, 21))
    framing = Framing(outliner=outliner)
    nodule = crop(image(region=Box(x=5, y=3, width=90, height=50)), None, framing)
    assert nodule.roi_source is RoiSource.NETWORK
    likeliest = Roi.parse({"polygon": [[10, 5], [40, 5], [10, 35]]})
    assert nodule.roi == likeliest.shifted(right=5, down=3)
    assert outliner.boxes == [(10, 5, 31, 31)]
    assert nodule.is_found
    assert codes(nodule)[1:3] == ["nodule-proposed", "several-proposals"]


@pytest.mark.parametrize("given", [None, Roi(box=(20, 10, 30, 16))])
def test_the_outlines_that_are_shown_are_those_that_are_read(given):
    outliner = FixedOutliner((10, 5, 31, 31), (60, 5, 21, 21))
    framing = Framing(0.1, outliner=outliner)
    picture = image(region=Box(x=5, y=3, width=90, height=50))
    nodule = crop(picture, given, framing)
    assert len(outliner.boxes) == 1
    found = find_outlines(picture, given, framing)
    assert (found.outlines[0].roi, found.source) == (nodule.roi, nodule.roi_source)
    probabilities = [outline.probability for outline in found.outlines]
    assert probabilities == ([None] if given else [0.75, 0.75])
    assert all(outline.roi.polygon for outline in found.outlines)


def test_the_outline_between_caliper_marks_is_shown_as_such():
    found = find_outlines(
        image_with_marks(*TWO_ENDS), None, Framing(outliner=FixedOutliner())
    )
    assert found.source is RoiSource.CALIPERS
    assert len(found.outlines) == 1


CLICK = Click(x=25.0, y=15.0)


@pytest.mark.parametrize(
    ("region", "in_part"),
    [
        (None, CLICK),
        (Box(x=5, y=3, width=90, height=50), Click(x=20.0, y=12.0)),
        (Box(x=40, y=3, width=50, height=50), CLICK),
    ],
)
def test_the_nodule_at_a_click_is_outlined_with_its_probability(region, in_part):
    """It is searched in the B-mode region, or beside it if the click is there."""
    outliner = FixedOutliner((10, 5, 31, 31))
    found = find_outlines(image(region=region), CLICK, Framing(outliner=outliner))
    (outline,) = found.outlines
    assert outliner.clicks == [in_part]
    assert outline.roi.polygon
    assert (outline.probability, found.source) == (0.75, RoiSource.READER)


def test_a_click_outside_the_image_is_refused():
    framing = Framing(outliner=FixedOutliner((10, 5, 31, 31)))
    with pytest.raises(RoiOutsideImage):
        find_outlines(image(), Click(x=101.0, y=5.0), framing)


def test_where_nothing_is_at_a_click_there_is_no_outline():
    found = find_outlines(image(), CLICK, Framing(outliner=FixedOutliner()))
    assert found.outlines == ()


def test_no_nodule_found_is_said():
    nodule = crop(image(), None, Framing(outliner=FixedOutliner()))
    assert not nodule.is_found
    assert nodule.roi is nodule.roi_source is None
    assert "no-nodule-found" in codes(nodule)


def test_an_outliner_draws_between_caliper_marks_too():
    outliner = FixedOutliner()
    nodule = crop(image_with_marks(*TWO_ENDS), None, Framing(outliner=outliner))
    assert nodule.roi_source is RoiSource.CALIPERS
    assert nodule.has_outline
    assert len(outliner.boxes) == 1


def test_features_are_cached_by_the_outliner_too():
    assert str(Framing(0.1, outliner=FixedOutliner())) != str(Framing(0.1))
