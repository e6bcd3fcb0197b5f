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
from tests.support.dicom_files import codes

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


def arc(degrees: int, width: int) -> np.ndarray:
    """The outline of INSIDE, drawn up to an angle."""
    drawn = np.zeros_like(WHITE)
    cv2.ellipse(drawn, (70, 45), (25, 20), 0, 0, degrees, 255, width)
    return drawn


@pytest.mark.parametrize("width", [1, 3])
def test_a_drawn_outline_is_filled(width):
    mask = read_mask(encoded(arc(360, width)), *SIZE)
    assert is_near(mask.roi.mask(Box(x=0, y=0, width=120, height=90)), pixels=2)
    assert mask.findings == ()


@pytest.mark.parametrize("degrees", [320, 345])
@pytest.mark.parametrize("width", [1, 2])
def test_a_drawn_outline_with_a_gap_is_refused(degrees, width):
    with pytest.raises(MaskUnclear, match="not closed"):
        read_mask(encoded(arc(degrees, width)), *SIZE)


def test_a_drawn_outline_with_a_gap_is_refused_round_a_filled_core():
    drawn = arc(320, width=2)
    cv2.circle(drawn, (70, 45), 12, 255, -1)
    with pytest.raises(MaskUnclear, match="not closed"):
        read_mask(encoded(drawn), *SIZE)


def test_crosses_of_calipers_outline_nothing():
    drawn = np.zeros_like(WHITE)
    for end in ((45, 45), (95, 45), (70, 25), (70, 65)):
        cv2.drawMarker(drawn, end, 255, cv2.MARKER_CROSS, 9)
    with pytest.raises(MaskUnclear, match="not closed"):
        read_mask(encoded(drawn), *SIZE)


def test_a_mask_of_tens_of_thousands_of_values_is_refused_in_one_pass():
    noise = np.random.default_rng(1).integers(0, 2**16, (1400, 1400), np.uint16)
    with pytest.raises(MaskUnclear, match="four edges"):
        read_mask(encoded(noise), 1400, 1400)


def test_noise_of_two_values_is_refused():
    noise = np.zeros((90, 120), np.uint8)
    noise[2:-2:2, 2:-2:2] = 255
    with pytest.raises(MaskUnclear, match="1000 separate parts"):
        read_mask(encoded(noise), *SIZE)


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


def inverted(
    left: int = 0, top: int = 0, right: int = 0, bottom: int = 0
) -> np.ndarray:
    """An inverted mask that leaves some lines at the edges black."""
    height, width = WHITE.shape
    picture = np.zeros_like(WHITE)
    rows = slice(top, height - bottom)
    columns = slice(left, width - right)
    picture[rows, columns] = 255 - WHITE[rows, columns]
    return picture


SECTOR = np.zeros_like(WHITE)
cv2.fillPoly(SECTOR, [np.array([[30, 6], [100, 6], [112, 84], [14, 84]])], 255)
NEARLY_ALL = {
    "one edge black": encoded(inverted(right=1)),
    "border": encoded(inverted(1, 1, 1, 1)),
    "margin": encoded(inverted(left=3)),
    "letterbox": encoded(inverted(top=2, bottom=2)),
    "high letterbox": encoded(inverted(top=12, bottom=12)),
    "letterbox across the nodule": encoded(inverted(top=30, bottom=12)),
    "nodule over a whole edge": encoded(
        np.where(np.arange(120) < 40, 0, WHITE | 255).astype(np.uint8)
    ),
    "inside the sector": encoded(np.where(INSIDE, 0, SECTOR).astype(np.uint8)),
    "rectangle around the nodule": encoded(
        cv2.rectangle(WHITE.copy(), (3, 3), (116, 86), 255, 1)
    ),
    "opaque around the nodule": encoded(rgba(values(255, 255), inverted(right=1))),
}


@pytest.mark.parametrize("name", NEARLY_ALL)
def test_an_inverted_mask_is_refused_though_an_edge_is_black(name):
    with pytest.raises(MaskUnclear, match="inverted"):
        read_mask(NEARLY_ALL[name], *SIZE)


def test_a_picture_cropped_closely_to_its_nodule_is_read():
    picture = np.zeros_like(WHITE)
    cv2.ellipse(picture, (60, 45), (58, 43), 0, 0, 360, 255, -1)
    mask = read_mask(encoded(picture), *SIZE)
    assert mask.findings == ()
    assert mask.inside[45, 60]


def test_a_hole_in_a_nodule_is_filled_and_said():
    picture = WHITE.copy()
    picture[38:50, 60:80] = 0
    mask = read_mask(encoded(picture), *SIZE)
    assert mask.roi == read_mask(EXACT["png"], *SIZE).roi
    assert codes(mask) == ["mask-hole"]


def test_a_block_at_an_edge_larger_than_the_nodule_is_refused_as_a_caption():
    picture = WHITE.copy()
    picture[68:] = 255
    with pytest.raises(MaskUnclear, match="caption"):
        read_mask(encoded(picture), *SIZE)


def test_a_box_off_the_edges_beside_a_smaller_nodule_is_read():
    picture = np.zeros_like(WHITE)
    cv2.circle(picture, (95, 70), 9, 1, -1)
    picture[10:40, 10:50] = 1
    mask = read_mask(encoded(picture), *SIZE)
    assert mask.roi.bounds == Box(x=10, y=10, width=40, height=30)
    assert codes(mask) == ["several-components"]


def test_boxes_around_two_nodules_are_no_captions():
    picture = np.zeros_like(WHITE)
    picture[10:40, 10:50] = 255
    picture[50:70, 70:100] = 255
    mask = read_mask(encoded(picture), *SIZE)
    assert mask.roi.bounds == Box(x=10, y=10, width=40, height=30)
    assert codes(mask) == ["several-components"]


@pytest.mark.parametrize("outside", [0, 1])
def test_a_stray_pixel_of_a_third_value_does_not_matter(outside):
    picture = values(outside + 1, outside)
    picture[2, 2] = 255
    picture[2, 40] = 0
    mask = read_mask(encoded(picture), *SIZE)
    assert mask.roi == read_mask(EXACT["png"], *SIZE).roi


def test_webp_without_loss_keeps_small_values():
    data = encoded(values(1, 0), "WEBP", lossless=True)
    np.testing.assert_array_equal(read_mask(data, *SIZE).inside, INSIDE)


@pytest.mark.parametrize("quality", [75, 40, 15])
def test_a_jpeg_of_half_the_contrast_is_read(quality):
    data = encoded(values(128, 0), "JPEG", quality=quality)
    assert is_near(read_mask(data, *SIZE).inside, pixels=1)


@pytest.mark.parametrize(
    "picture", [values(1, 0), values(2, 1), values(50, 0)], ids=["0", "1", "50"]
)
@pytest.mark.parametrize("quality", [95, 40])
def test_values_that_lossy_compression_loses_are_refused(picture, quality):
    for kind in ("JPEG", "WEBP", "TIFF"):
        options = {"compression": "jpeg"} if kind == "TIFF" else {}
        with pytest.raises(MaskUnclear):
            read_mask(encoded(picture, kind, quality=quality, **options), *SIZE)


@pytest.mark.parametrize("kind", ["TIFF", "GIF"])
def test_a_mask_on_the_second_page_is_refused(kind):
    pages = [Image.fromarray(values(0, 0)), Image.fromarray(WHITE)]
    data = encoded(pages[0], kind, save_all=True, append_images=pages[1:])
    with pytest.raises(MaskUnclear, match="several pages"):
        read_mask(data, *SIZE)


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
    assert codes(mask) == ["mask-empty"]


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
