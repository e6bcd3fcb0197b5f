from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.imaging import ImageBlank
from shared.imaging.quality import quality_findings
from shared.phantoms import draw

DATA = Path(__file__).parents[3].parent / "shared" / "data"
MAX_FALSE_ALARM_SHARE = 0.01


def codes(pixels, mask=None) -> list[str]:
    return [
        finding.code
        for finding in quality_findings(
            pixels, np.ones(pixels.shape, bool) if mask is None else mask
        )
    ]


def text_page() -> np.ndarray:
    page = np.full((256, 256), 255, np.uint8)
    for row in range(10):
        cv2.putText(
            page,
            "nodule, left lobe",
            org=(8, 24 + 24 * row),
            fontFace=cv2.FONT_HERSHEY_SIMPLEX,
            fontScale=0.6,
            color=0,
            thickness=1,
        )
    return page


def drawing() -> np.ndarray:
    canvas = np.full((256, 256), 90, np.uint8)
    cv2.ellipse(
        canvas,
        center=(128, 128),
        axes=(80, 50),
        angle=0,
        startAngle=0,
        endAngle=360,
        color=40,
        thickness=-1,
    )
    return canvas


def test_phantoms_raise_no_alarm():
    """Nodules with every term of the lexicon, including cysts."""
    phantoms = [draw(seed) for seed in range(40)]
    assert [codes(phantom.pixels, phantom.mask) for phantom in phantoms] == [[]] * 40


@pytest.mark.parametrize("sigma", [4, 8])
def test_a_smoothed_copy_has_no_speckle(sigma):
    assert codes(cv2.GaussianBlur(draw(3).pixels, (0, 0), sigma)) == ["no-speckle"]


def test_a_drawing_and_a_grey_ramp_have_no_speckle():
    ramp = np.tile(np.linspace(10, 240, 256), (256, 1)).astype(np.uint8)
    assert codes(drawing()) == codes(ramp) == ["no-speckle"]


def test_white_and_black_areas_are_reported():
    pixels = draw(3).pixels.copy()
    white = pixels.copy()
    black = pixels.copy()
    white[:60] = 255
    black[:170] = 0
    assert codes(white) == codes(black) == ["saturated"]
    assert "saturated" in codes(text_page())


def test_pixels_outside_the_nodule_do_not_matter():
    pixels = draw(3).pixels.copy()
    mask = np.zeros((256, 256), bool)
    pixels[:100] = 255
    mask[150:] = True
    assert codes(pixels, mask) == []


def test_a_nodule_of_few_pixels_is_reported():
    assert codes(draw(3).pixels[100:130, 100:130]) == ["few-pixels"]


@pytest.mark.parametrize("grey", [0, 1, 128, 255])
def test_one_even_grey_is_refused(grey):
    with pytest.raises(ImageBlank):
        quality_findings(np.full((60, 60), grey, np.uint8), np.ones((60, 60), bool))


def test_an_empty_mask_is_reported_as_few_pixels():
    assert codes(draw(3).pixels, np.zeros((256, 256), bool)) == ["few-pixels"]


@pytest.mark.skipif(
    not DATA.exists(), reason="the real images are not beside the checkout"
)
@pytest.mark.parametrize("name", ["busi", "ddti"])
def test_real_images_hardly_ever_raise_an_alarm(name):
    images = sorted((DATA / name / "images").iterdir())[::3]
    alarms = {
        path.name: codes(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in images
    }
    assert sum(map(bool, alarms.values())) <= MAX_FALSE_ALARM_SHARE * len(images)
