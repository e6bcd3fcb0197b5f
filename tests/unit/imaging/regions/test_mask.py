from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from shared.imaging import (
    Box,
    EmptyImage,
    ImageUnreadable,
    MaskMismatch,
    MaskUnclear,
    RoiTooSmall,
    UnsupportedImage,
    decode,
    read_mask,
)
from tests.support.builders import dicom_file

REAL = Path(__file__).parents[4].parent / "shared" / "data"
SIZE = (120, 90)
INSIDE = np.zeros((90, 120), np.uint8)
cv2.ellipse(INSIDE, (70, 45), (25, 20), 0, 0, 360, 1, -1)
INSIDE = INSIDE.astype(bool)
WHITE = INSIDE.astype(np.uint8) * 255


def encoded(picture: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def values(inside: int, outside: int, kind: type = np.uint8) -> np.ndarray:
    return np.where(INSIDE, inside, outside).astype(kind)


def palette(colours: list[int], indices: np.ndarray) -> Image.Image:
    image = Image.fromarray(indices.astype(np.uint8), "L").convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(colours + [0] * (768 - len(colours)))
    return image


def rgba(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.dstack([colour, colour, colour, alpha]).astype(np.uint8)


EXACT = {
    "png": encoded(WHITE),
    "gif": encoded(WHITE, "GIF"),
    "bmp": encoded(WHITE, "BMP"),
    "tiff": encoded(WHITE, "TIFF"),
    "0 and 1": encoded(values(1, 0)),
    "1 and 2": encoded(values(2, 1)),
    "floor of one": encoded(values(255, 1)),
    "254 and 255": encoded(values(255, 254)),
    "16 bits, 0 and 1": encoded(values(1, 0, np.uint16)),
    "16 bits": encoded(values(65535, 0, np.uint16)),
    "1 bit": encoded(Image.fromarray(WHITE).convert("1")),
    "white is 0": encoded(
        Image.fromarray(WHITE).convert("1"), "TIFF", tiffinfo={262: 0}
    ),
    "red palette": encoded(palette([0, 0, 0, 128, 0, 0], INSIDE)),
    "palette without colours": encoded(palette([0, 0, 0, 0, 0, 0], INSIDE)),
    "transparent is outside": encoded(rgba(values(255, 255), WHITE)),
    "opaque black": encoded(rgba(values(0, 0), WHITE)),
    "half opaque": encoded(rgba(values(255, 255), WHITE // 2)),
    "white on opaque black": encoded(rgba(WHITE, values(255, 255))),
    "grey with alpha": encoded(
        Image.merge("LA", [Image.fromarray(values(255, 255)), Image.fromarray(WHITE)])
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_mask_of_two_values_is_split_between_them(name):
    mask = read_mask(EXACT[name], *SIZE)
    np.testing.assert_array_equal(mask.inside, INSIDE)
    assert mask.findings == ()


def test_an_unused_alpha_is_ignored_and_said():
    mask = read_mask(encoded(rgba(WHITE, values(0, 0))), *SIZE)
    np.testing.assert_array_equal(mask.inside, INSIDE)
    assert [finding.code for finding in mask.findings] == ["alpha-ignored"]


@pytest.mark.parametrize("quality", [95, 75, 30])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_compression_moves_the_outline_by_less_than_a_pixel(kind, quality):
    data = encoded(Image.fromarray(WHITE).convert("RGB"), kind, quality=quality)
    mask = read_mask(data, *SIZE)
    assert is_near(mask.inside, pixels=1)


def is_near(inside: np.ndarray, pixels: int) -> bool:
    """Whether the outline differs from that of INSIDE by some pixels at most."""
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    grown = cv2.dilate(INSIDE.astype(np.uint8), kernel) > 0
    shrunk = cv2.erode(INSIDE.astype(np.uint8), kernel) > 0
    return bool((inside <= grown).all() and (shrunk <= inside).all())


@pytest.mark.parametrize("method", ["BILINEAR", "BICUBIC", "LANCZOS"])
@pytest.mark.parametrize("factor", [2, 3])
def test_a_resampled_mask_keeps_its_outline(factor, method):
    large = Image.fromarray(WHITE).resize(
        (SIZE[0] * factor, SIZE[1] * factor), Image.Resampling.NEAREST
    )
    soft = large.resize(SIZE, Image.Resampling[method])
    assert is_near(read_mask(encoded(soft), *SIZE).inside, pixels=1)


@pytest.mark.parametrize("width", [1, 3])
def test_a_drawn_outline_is_filled(width):
    drawn = np.zeros_like(WHITE)
    cv2.ellipse(drawn, (70, 45), (25, 20), 0, 0, 360, 255, width)
    roi = read_mask(encoded(drawn), *SIZE).roi
    assert is_near(roi.mask(Box(x=0, y=0, width=120, height=90)), pixels=2)


def test_a_drawn_outline_with_a_gap_is_refused():
    drawn = np.zeros_like(WHITE)
    cv2.ellipse(drawn, (70, 45), (25, 20), 0, 0, 320, 255, 2)
    with pytest.raises(MaskUnclear, match="not closed"):
        read_mask(encoded(drawn), *SIZE)


def test_a_mask_of_tens_of_thousands_of_values_is_refused_in_one_pass():
    noise = np.random.default_rng(1).integers(0, 2**16, (1400, 1400), np.uint16)
    with pytest.raises(MaskUnclear, match="four edges"):
        read_mask(encoded(noise), 1400, 1400)


FOUR_EDGES = {
    "inverted": encoded(255 - WHITE),
    "inverted 1 bit": encoded(Image.fromarray(255 - WHITE).convert("1"), "TIFF"),
    "inverted palette": encoded(palette([255, 255, 255, 0, 0, 0], INSIDE)),
    "inverted jpeg": encoded(255 - WHITE, "JPEG"),
    "white": encoded(values(255, 255)),
    "one": encoded(values(1, 1)),
    "opaque white": encoded(rgba(values(255, 255), values(255, 255))),
    "frame": encoded(np.pad(WHITE[1:-1, 1:-1], 1, constant_values=255)),
}


@pytest.mark.parametrize("name", FOUR_EDGES)
def test_a_mask_that_reaches_all_four_edges_is_refused(name):
    with pytest.raises(MaskUnclear, match="all four edges"):
        read_mask(FOUR_EDGES[name], *SIZE)


def labels(nodule: int, other: int) -> np.ndarray:
    picture = values(nodule, 0)
    cv2.circle(picture, (20, 20), 9, other, -1)
    return picture


@pytest.mark.parametrize(
    "data",
    [
        encoded(labels(1, 2)),
        encoded(labels(255, 1)),
        encoded(labels(255, 128)),
        encoded(labels(255, 128), "JPEG"),
        encoded(np.random.default_rng(1).integers(0, 256, (90, 120)).astype(np.uint8)),
    ],
    ids=["1 and 2", "1 and 255", "128 and 255", "jpeg", "noise"],
)
def test_more_than_two_values_are_refused(data):
    with pytest.raises(MaskUnclear):
        read_mask(data, *SIZE)


def test_the_largest_component_is_the_roi_and_the_others_are_counted():
    picture = WHITE.copy()
    cv2.circle(picture, (15, 15), 8, 255, -1)
    cv2.circle(picture, (15, 70), 8, 255, -1)
    mask = read_mask(encoded(picture), *SIZE)
    assert mask.roi == read_mask(EXACT["png"], *SIZE).roi
    (finding,) = mask.findings
    assert (finding.code, finding.facts) == ("several-components", {"others": 2})


def test_a_turned_mask_is_turned_upright():
    turned = Image.Exif()
    turned[0x0112] = 6
    stored = Image.fromarray(np.rot90(WHITE))
    mask = read_mask(encoded(stored, exif=turned), *SIZE)
    np.testing.assert_array_equal(mask.inside, INSIDE)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(MaskMismatch, match="120 x 90 pixels, its image 90 x 120"):
        read_mask(EXACT["png"], 90, 120)


def test_what_is_no_mask_is_refused():
    with pytest.raises(EmptyImage):
        read_mask(b"", *SIZE)
    for data in (b"text", EXACT["png"][:90]):
        with pytest.raises(ImageUnreadable, match="MASK"):
            read_mask(data, *SIZE)
    with pytest.raises(UnsupportedImage, match="DICOM"):
        read_mask(dicom_file(WHITE), *SIZE)


def test_a_speck_is_refused():
    speck = np.zeros_like(WHITE)
    speck[40:45, 40:45] = 255
    with pytest.raises(RoiTooSmall):
        read_mask(encoded(speck), *SIZE)


def test_an_outline_holds_the_mask_it_was_read_from():
    roi = read_mask(EXACT["png"], *SIZE).roi
    box = Box(x=0, y=0, width=120, height=90)
    np.testing.assert_array_equal(roi.mask(box), INSIDE)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_an_empty_mask_outlines_nothing(kind):
    mask = read_mask(encoded(values(0, 0), kind), *SIZE)
    assert mask.roi is None
    assert mask.findings == ()


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data is not here")
@pytest.mark.parametrize("name", ["ddti", "ddti_raw"])
def test_every_real_mask_is_read_as_a_person_reads_it(name):
    for path in sorted((REAL / name / "masks").iterdir()):
        with Image.open(path) as file:
            picture = np.asarray(file.convert("L"))
        height, width = picture.shape
        mask = read_mask(path.read_bytes(), width, height)
        assert (mask.inside == (picture > 127)).all()
        assert (mask.roi is not None) == picture.any()


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data is not here")
def test_the_picture_itself_is_no_mask_of_it():
    for path in sorted((REAL / "busi").rglob("*.png"))[:20]:
        data = path.read_bytes()
        height, width = decode(data).pixels.shape
        with pytest.raises(MaskUnclear):
            read_mask(data, width, height)
