import numpy as np
import pytest

from shared.imaging import Box, Finding, ImageFormat, Roi, RoiOutsideImage, UltrasoundImage, crop

NOTE = Finding("note", "Something was seen.")


def image(region: Box | None = None) -> UltrasoundImage:
    pixels = np.arange(60 * 100, dtype=np.uint16).reshape(60, 100).astype(np.uint8)
    return UltrasoundImage(pixels, ImageFormat.PNG, region=region, findings=(NOTE,))


def test_a_box_is_cut_out():
    nodule = crop(image(), Roi.parse({"box": [20, 10, 30, 16]}))
    assert (nodule.pixels == image().pixels[10:26, 20:50]).all()
    assert nodule.mask.all()
    assert not nodule.outlined
    assert nodule.findings[0] == NOTE


def test_a_polygon_marks_the_nodule_inside_its_bounds():
    nodule = crop(image(), Roi.parse({"polygon": [[20, 10], [49, 10], [20, 30]]}))
    assert nodule.outlined
    assert nodule.pixels.shape == nodule.mask.shape == (21, 30)
    assert nodule.mask[0].all()
    assert nodule.mask[-1].sum() <= 2


def test_a_margin_adds_tissue_but_no_nodule():
    nodule = crop(image(), Roi.parse({"box": [40, 20, 20, 10]}), margin=0.5)
    assert nodule.pixels.shape == (20, 40)
    assert nodule.mask.sum() == 200
    assert nodule.mask[5:15, 10:30].all()


def test_a_margin_ends_at_the_image():
    nodule = crop(image(), Roi.parse({"box": [0, 44, 20, 16]}), margin=0.5)
    assert nodule.pixels.shape == (24, 30)
    assert nodule.mask[8:, :20].all()
    assert nodule.mask.sum() == 320


def test_without_an_roi_the_region_is_taken_and_said():
    nodule = crop(image(region=Box(30, 5, 50, 40)), None)
    assert nodule.pixels.shape == (40, 50)
    assert [finding.code for finding in nodule.findings][:2] == ["note", "roi-absent"]


def test_without_roi_and_region_the_whole_image_is_taken():
    assert crop(image(), None).pixels.shape == (60, 100)


def test_an_roi_beyond_the_image_is_refused():
    with pytest.raises(RoiOutsideImage):
        crop(image(), Roi.parse({"box": [90, 0, 20, 20]}))
