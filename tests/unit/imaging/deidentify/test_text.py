from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from shared.imaging import Box, ImageFormat, UltrasoundImage, decode
from shared.imaging.deidentify import BURNT_IN_TEXT, burnt_in_text
from shared.imaging.deidentify.text import find_text_lines
from shared.phantoms import draw

REAL = Path(__file__).parents[4].parent / "shared" / "data"
absent = pytest.mark.skipif(not REAL.exists(), reason="../shared/data is not here")
LIGHT_ON_BLACK = (0, 255)
GREY_ON_BLACK = (0, 150)
LIGHT_ON_GREY = (60, 210)
BLACK_ON_WHITE = (255, 0)
DARK_ON_LIGHT = (200, 60)
COLOURS = [
    LIGHT_ON_BLACK,
    GREY_ON_BLACK,
    LIGHT_ON_GREY,
    BLACK_ON_WHITE,
    DARK_ON_LIGHT,
]
"""Grey of the banner and of its letters."""
HERSHEY_CAPITAL_PX = 22
"""Height of a capital letter of the font at scale 1."""
CROPS_WITH_LETTERS = {
    "104_1(2).png",
    "118_1(2).png",
    "182_1(2).png",
    "254_1(1).png",
    "284_1(2).png",
    "70_1(2).png",
}
"""Crops of the DDTI set with letters of the screen left at their edge."""
KOREAN_FONT = "NanumGothic.ttf"


def tissue(height: int, width: int) -> np.ndarray:
    return cv2.resize(draw(1, size_px=200).pixels, (width, height))


def screen(
    text: str,
    letter_px: int = 11,
    colours: tuple[int, int] = LIGHT_ON_BLACK,
    size: tuple[int, int] = (360, 560),
) -> np.ndarray:
    """A phantom with a line of text on a banner above it, as scanners show a name."""
    height, width = size
    background, foreground = colours
    banner = np.full((2 * letter_px + 12, width), background, np.uint8)
    cv2.putText(
        banner,
        text,
        org=(6, letter_px + 8),
        fontFace=cv2.FONT_HERSHEY_SIMPLEX,
        fontScale=letter_px / HERSHEY_CAPITAL_PX,
        color=foreground,
        thickness=max(1, letter_px // 12),
        lineType=cv2.LINE_AA,
    )
    return np.vstack([banner, tissue(height - len(banner), width)])


def truetype_screen(
    text: str, font: ImageFont.FreeTypeFont, colours: tuple[int, int]
) -> np.ndarray:
    background, foreground = colours
    banner = Image.new("L", (560, 60), background)
    ImageDraw.Draw(banner).text((8, 8), text, fill=foreground, font=font)
    return np.vstack([np.asarray(banner), tissue(300, 560)])


def ultrasound(pixels: np.ndarray, region: Box | None = None) -> UltrasoundImage:
    return UltrasoundImage(pixels, ImageFormat.PNG, region=region)


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("letter_px", [10, 11, 14, 20, 28])
def test_a_name_on_a_banner_is_detected(letter_px, colours):
    [line] = find_text_lines(screen("DOE JANE", letter_px, colours))
    assert line.letters >= 5
    assert line.box.x == pytest.approx(6, abs=4)
    assert line.box.y + line.box.height == pytest.approx(letter_px + 8, abs=3)


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("letter_share", [0.03, 0.05, 0.08, 0.2])
@pytest.mark.parametrize("size", [(800, 1100), (1500, 2000)])
def test_letters_are_detected_up_to_a_share_of_the_height(size, letter_share, colours):
    pixels = screen("DOE JANE", round(letter_share * size[0]), colours, size)
    assert find_text_lines(pixels)


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("font_px", [11, 16, 24, 40])
def test_truetype_letters_are_detected(font_px, colours):
    font = ImageFont.load_default(font_px)
    assert find_text_lines(truetype_screen("Müller, Anna", font, colours))


@pytest.mark.parametrize("font_px", [16, 24, 40])
def test_a_korean_name_with_a_date_is_detected(font_px):
    try:
        font = ImageFont.truetype(KOREAN_FONT, font_px)
    except OSError:
        pytest.skip(f"{KOREAN_FONT} is not installed (fonts-nanum)")
    for colours in COLOURS:
        pixels = truetype_screen("홍길동 1970-01-01", font, colours)
        assert find_text_lines(pixels)


def test_a_name_is_detected_after_lossy_compression():
    coded = cv2.imencode(".jpg", screen("DOE JANE"), [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    assert find_text_lines(decode(coded.tobytes()).pixels)


def test_words_far_apart_on_a_line_are_one_line():
    [line] = find_text_lines(screen("DOE  J  1970"))
    assert line.letters == 8


@pytest.mark.parametrize(
    "colours", [(0, 29), (0, 45), (128, 90), (160, 200), (255, 226)]
)
def test_faint_letters_on_an_even_background_are_detected(colours):
    """Grey 29 is blue on black, and 226 is yellow on white."""
    [line] = find_text_lines(screen("DOE JANE", 14, colours))
    assert line.letters >= 5


def test_two_letters_on_an_even_background_are_text():
    [line] = find_text_lines(screen("Yu", 14))
    assert line.letters == 2


@pytest.mark.parametrize("turns", [1, 3])
def test_letters_that_run_up_or_down_are_detected(turns):
    row = find_text_lines(screen("DOE JANE", 14))[0].box
    [column] = find_text_lines(np.rot90(screen("DOE JANE", 14), turns).copy())
    assert (column.box.width, column.box.height) == (row.height, row.width)


def test_rows_below_each_other_are_no_columns():
    picture = np.vstack([screen("DOE JANE", 11, size=(40, 300))] * 6)
    lines = find_text_lines(picture[:, :150])
    assert all(line.box.width > line.box.height for line in lines)


@pytest.mark.parametrize("seed", range(6))
def test_tissue_alone_is_no_text(seed):
    assert find_text_lines(draw(seed, size_px=256).pixels) == ()


@pytest.mark.parametrize(
    "pixels",
    [screen("7"), np.zeros((50, 50), np.uint8), np.full((50, 50), 255, np.uint8)],
)
def test_single_marks_and_even_images_are_no_text(pixels):
    assert find_text_lines(pixels) == ()


@pytest.mark.parametrize("region", [None, Box(0, 0, 560, 360), Box(0, 0, 560, 40)])
def test_a_region_hides_no_banner(region):
    [finding] = burnt_in_text(ultrasound(screen("DOE JANE"), region))
    assert (finding.code, finding.facts["lines"]) == (BURNT_IN_TEXT, 1)


def test_the_finding_counts_lines_on_the_tissue_and_never_says_what_they_read():
    pixels = screen("DOE JANE")
    cv2.rectangle(pixels, (200, 150), (330, 180), 0, -1)
    cv2.putText(pixels, "NODULE", (210, 172), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255)
    [finding] = burnt_in_text(ultrasound(pixels))
    assert finding.facts == {"lines": 2, "lines_on_tissue": 1}
    assert "DOE" not in finding.message


@absent
@pytest.mark.parametrize("name", ["US1_J2KR", "examples_palette", "gdcm-US-ALOKA-16"])
def test_real_screens_with_text_are_detected(name):
    image = decode((REAL / "dicom" / f"{name}.dcm").read_bytes())
    assert find_text_lines(image.pixels)


@absent
def test_real_whole_screens_have_text():
    paths = sorted((REAL / "ddti_raw" / "images").glob("*.jpg"))[::10]
    with_text = [path for path in paths if _has_text(path)]
    assert len(with_text) >= 0.9 * len(paths)


@absent
def test_real_thyroid_crops_raise_no_alarm():
    paths = sorted((REAL / "ddti" / "images").glob("*.png"))[::6]
    alarms = {path.name for path in paths if _has_text(path)}
    assert alarms <= CROPS_WITH_LETTERS


def _has_text(path: Path) -> bool:
    return bool(find_text_lines(decode(path.read_bytes()).pixels))


def test_a_column_of_letters_close_to_the_tissue_is_beside_it():
    pixels = np.zeros((360, 560), np.uint8)
    pixels[:310, 20:520] = tissue(310, 500)
    for row, glyphs in enumerate(("R", "12L6", "9", "DR65", "31fps", "86")):
        corner = (524, 20 + 14 * row)
        cv2.putText(pixels, glyphs, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.35, 230)
    [finding] = burnt_in_text(ultrasound(pixels))
    assert finding.facts["lines"] >= 2
    assert finding.facts["lines_on_tissue"] == 0
