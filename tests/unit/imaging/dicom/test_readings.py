"""Pixels that the header describes wrongly, or that devices store unusually, are read right."""

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from shared.imaging import decode
from shared.imaging.deidentify import clean
from shared.imaging.errors import ImageUnreadable, UnsupportedImage
from tests.support.builders import dicom_file
from tests.support.dicom_files import (
    CONTRADICTION,
    GREY,
    KEY,
    codes,
    edited,
    encapsulated,
    grey_of,
    jpeg,
    region,
    rgb_jpeg_without_hint,
    without_markers,
)

DARK = (GREY // 2).astype(np.uint8)
WIDE = GREY.astype(np.uint16)
TEN_BITS = WIDE * 4 + WIDE // 64
TWELVE_BITS = WIDE * 16 + WIDE // 16
FOURTEEN_BITS = WIDE * 64 + WIDE // 4
REGION = region(left=0, top=8, right=95, bottom=63)
BLACKENED = np.where(GREY < 60, GREY // 8, GREY)
SEPIA = np.stack([BLACKENED, BLACKENED * 0.8, BLACKENED * 0.4], -1).astype(np.uint8)
SEPIA_YBR = np.asarray(
    np.stack(
        [
            SEPIA @ [0.299, 0.587, 0.114],
            SEPIA @ [-0.168736, -0.331264, 0.5] + 128,
            SEPIA @ [0.5, -0.418688, -0.081312] + 128,
        ],
        -1,
    )
    .round()
    .clip(0, 255),
    np.uint8,
)


def j2k(pixels: np.ndarray, **options: object) -> bytes:
    return imagecodecs.jpeg2k_encode(
        pixels, level=0, reversible=True, mct=False, **options
    )


def both(data: bytes) -> list[np.ndarray]:
    """The picture as it is read, and as it is read once cleaned."""
    return [decode(data).pixels.astype(int), decode(clean(data, KEY).data).pixels]


def with_bits(bits: int) -> dict[str, int]:
    return {"BitsStored": bits, "HighBit": bits - 1}


SMALLER_DEPTHS = ("pixels", "declared", "bits")


def with_bright_pixel(pixels: np.ndarray, declared: int) -> np.ndarray:
    changed = pixels.copy()
    changed[0, 0] = 2**declared - 1
    return changed


@pytest.mark.parametrize(
    SMALLER_DEPTHS, [(WIDE, 12, 8), (TEN_BITS, 14, 10), (TWELVE_BITS, 16, 12)]
)
@pytest.mark.parametrize("has_bright_pixel", [False, True])
def test_a_much_smaller_depth_than_declared_is_guessed_and_reported(
    pixels, declared, bits, has_bright_pixel
):
    if has_bright_pixel:
        pixels = with_bright_pixel(pixels, declared)
    data = dicom_file(pixels, **with_bits(declared))
    for picture in both(data):
        assert (picture.ravel()[1:] == GREY.ravel()[1:]).all()
    (finding,) = decode(data).findings
    assert (finding.code, finding.facts["bits"]) == ("depth-guessed", bits)


@pytest.mark.parametrize(
    SMALLER_DEPTHS,
    [
        (WIDE, 10, 8),
        (TEN_BITS, 12, 10),
        (TWELVE_BITS, 14, 12),
        (FOURTEEN_BITS, 16, 14),
    ],
)
@pytest.mark.parametrize("has_bright_pixel", [False, True])
def test_a_somewhat_smaller_depth_than_declared_is_reported(
    pixels, declared, bits, has_bright_pixel
):
    if has_bright_pixel:
        pixels = with_bright_pixel(pixels, declared)
    data = dicom_file(pixels, **with_bits(declared))
    expected = np.rint(pixels * (255 / (2**declared - 1)))
    for picture in both(data):
        assert np.abs(picture - expected).max() <= 1
    (finding,) = decode(data).findings
    assert (finding.code, finding.facts["bits"]) == ("depth-unclear", bits)


@pytest.mark.parametrize("declared", [12, 16])
def test_big_endian_values_in_a_little_endian_file_are_turned_round(declared):
    data = dicom_file(TWELVE_BITS.byteswap(), **with_bits(declared))
    for picture in both(data):
        assert (picture == GREY).all()
    assert decode(data).findings[0].facts == {"attributes": "Transfer Syntax UID"}
    cleaned = clean(edited(data, SequenceOfUltrasoundRegions=[REGION]), KEY)
    assert (decode(cleaned.data).pixels[8:] == GREY[8:]).all()


def test_a_dark_picture_with_few_negative_values_is_unsigned():
    spotted = DARK.copy()
    spotted[20:24, 20:24] = 140
    data = dicom_file(spotted, PixelRepresentation=1)
    for picture in both(data):
        assert (picture == spotted).all()
    assert codes(decode(data)) == [CONTRADICTION]


def test_bits_that_are_all_in_use_are_all_read():
    data = dicom_file(GREY, BitsStored=1, HighBit=7)
    for picture in both(data):
        assert (picture == GREY).all()
    assert codes(decode(data)) == [CONTRADICTION]


def test_a_dark_picture_without_negative_values_is_unsigned():
    data = dicom_file(DARK, PixelRepresentation=1)
    for picture in both(data):
        assert (picture == DARK).all()
    signed_frame = encapsulated(
        j2k(DARK.astype(np.int8), codecformat="J2K"),
        JPEG2000Lossless,
        DARK,
        PixelRepresentation=1,
    )
    assert (decode(signed_frame).pixels == DARK).all()


def test_bright_padding_is_black_and_no_part_of_the_depth():
    pixels = TWELVE_BITS.copy()
    pixels[:20] = 65535
    for picture in both(dicom_file(pixels, PixelPaddingValue=65535)):
        assert (picture[20:] == GREY[20:]).all()
        assert (picture[:20] == 0).all()


@pytest.mark.parametrize(
    "window",
    [(2048, 4096), (1, 2), (1000, 100), (-500, 100)],
    ids=["far too wide", "all white", "above", "below"],
)
def test_a_window_that_hides_the_picture_is_left_aside(window):
    centre, width = window
    data = dicom_file(GREY, WindowCenter=centre, WindowWidth=width)
    for picture in both(data):
        assert (picture == GREY).all()
    assert codes(decode(data)) == ["window-unusable"]


@pytest.mark.parametrize("window", [(100, 80), (128, 400)])
def test_a_window_that_changes_the_contrast_holds(window):
    centre, width = window
    data = dicom_file(GREY, WindowCenter=centre, WindowWidth=width)
    assert codes(decode(data)) == []
    assert (decode(data).pixels != GREY).any()


def table(entries: np.ndarray, bits: int, *, packed: str = "") -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), 0, bits]
    item.LUTData = entries.astype(np.uint8).tobytes() if packed else entries.tolist()
    if packed == "US":
        item.LUTData = np.frombuffer(item.LUTData, np.uint16).tolist()
    item["LUTData"].VR = packed or "US"
    return item


@pytest.mark.parametrize(
    ("keyword", "item", "expected", "finding"),
    [
        ("VOILUTSequence", table(np.arange(256), 8, packed="OW"), GREY, []),
        ("VOILUTSequence", table(np.arange(256), 8, packed="US"), GREY, []),
        ("VOILUTSequence", table(np.arange(256), 16), GREY, ["depth-guessed"]),
        ("ModalityLUTSequence", table(np.arange(256), 16), GREY, ["depth-guessed"]),
        ("ModalityLUTSequence", table(np.arange(256), 8, packed="OW"), GREY, []),
        ("PresentationLUTSequence", table(np.arange(256)[::-1], 8), 255 - GREY, []),
        ("VOILUTSequence", Dataset(), GREY, ["header-value-unusable"]),
    ],
)
def test_lookup_tables_are_read_as_they_are_stored(keyword, item, expected, finding):
    data = dicom_file(GREY, **{keyword: [item]})
    for picture in both(data):
        assert (picture == expected).all()
    assert codes(decode(data)) == finding


def in_groups(macro: str, *items: Dataset) -> dict[str, list[Dataset]]:
    groups = []
    for item in items:
        group = Dataset()
        setattr(group, macro, [item])
        groups.append(group)
    return {"PerFrameFunctionalGroupsSequence": groups}


def rescale(slope: float) -> Dataset:
    item = Dataset()
    item.RescaleSlope = slope
    item.RescaleIntercept = 255
    return item


def test_rescale_in_the_functional_groups_is_applied():
    macro = "PixelValueTransformationSequence"
    falling = dicom_file(GREY, **in_groups(macro, rescale(-1), rescale(-1)))
    for picture in both(falling):
        assert (picture == 255 - GREY).all()
    differing = dicom_file(GREY, **in_groups(macro, rescale(-1), rescale(1)))
    (finding,) = decode(differing).findings
    assert finding.code == "header-value-unusable"
    assert "Rescale Slope" in finding.facts["attributes"]


@pytest.mark.parametrize("label", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("pixels", [SEPIA, SEPIA_YBR], ids=["rgb", "ybr"])
@pytest.mark.parametrize("coding", ["stored", "JPEG-LS", "JPEG 2000"])
def test_a_tinted_picture_is_told_by_its_black(label, pixels, coding):
    header = {"PhotometricInterpretation": label}
    data = dicom_file(pixels, **header)
    if coding == "JPEG-LS":
        frame = imagecodecs.jpegls_encode(pixels)
        data = encapsulated(frame, JPEGLSLossless, pixels, **header)
    if coding == "JPEG 2000":
        frame = j2k(pixels, codecformat="J2K")
        data = encapsulated(frame, JPEG2000Lossless, pixels, **header)
    for picture in both(data):
        assert np.abs(picture - grey_of(SEPIA)).max() <= 2
    is_right = (label == "RGB") is (pixels is SEPIA)
    assert (CONTRADICTION in codes(decode(data))) is not is_right


def test_a_tinted_picture_without_black_keeps_its_label_with_a_finding():
    pale = (SEPIA // 3 + (110, 120, 80)).astype(np.uint8)
    data = dicom_file(pale, PhotometricInterpretation="YBR_FULL")
    assert "colour-unclear" in codes(decode(data))
    assert "colour-unclear" not in codes(decode(dicom_file(SEPIA)))


@pytest.mark.parametrize("label", ["RGB", "YBR_FULL", "YBR_RCT"])
def test_luma_and_chroma_by_a_box_are_read_alike_raw_and_cleaned(label):
    frame = j2k(SEPIA_YBR, codecformat="JP2", colorspace="SYCC")
    data = encapsulated(frame, JPEG2000Lossless, SEPIA, PhotometricInterpretation=label)
    for picture in both(data):
        assert np.abs(picture - grey_of(SEPIA)).max() <= 2


@pytest.mark.parametrize(
    ("encode", "syntax"),
    [
        (imagecodecs.jpegls_encode, JPEGLSLossless),
        (imagecodecs.ljpeg_encode, JPEGLosslessSV1),
    ],
)
def test_a_damaged_lossless_frame_is_refused(encode, syntax):
    frame = bytearray(encode(GREY))
    middle = len(frame) // 2
    frame[middle : middle + 40] = bytes(40)
    with pytest.raises(ImageUnreadable, match="damaged"):
        decode(encapsulated(bytes(frame), syntax, GREY))


def test_a_point_transform_is_refused_by_name():
    frame = bytearray(imagecodecs.ljpeg_encode(GREY))
    scan = frame.index(b"\xff\xda")
    frame[scan + 9] = 1
    with pytest.raises(UnsupportedImage, match="point transform"):
        decode(encapsulated(bytes(frame), JPEGLosslessSV1, GREY))


@pytest.mark.parametrize("fill", [b"\0\0", b"\xff", b"\0\xff\xff"])
def test_fill_bytes_before_a_frame_are_skipped(fill):
    plain = encapsulated(jpeg(GREY), JPEGBaseline8Bit, GREY)
    data = encapsulated(fill + jpeg(GREY), JPEGBaseline8Bit, GREY)
    for picture in both(data):
        assert (picture == decode(plain).pixels).all()


@pytest.mark.parametrize("offsets", [(0, 8, 16), (4, 8, 12), (0,)])
def test_a_wrong_table_of_offsets_is_left_aside(offsets):
    frames = [jpeg(GREY), jpeg(255 - GREY), jpeg(GREY)]
    bare = encapsulate(frames, has_bot=False)
    content = np.array(offsets, "<u4").tobytes()
    length = len(content).to_bytes(4, "little")
    one = encapsulated(frames[1], JPEGBaseline8Bit, GREY)
    data = edited(
        one, NumberOfFrames=3, PixelData=bare[:4] + length + content + bare[8:]
    )
    for picture in both(data):
        assert (picture == decode(one).pixels).all()


def test_frames_of_mixed_colour_are_blanked_each_as_it_is():
    rgb = np.repeat(GREY[..., None], 3, axis=2)
    frames = [
        without_markers(jpeg(rgb)),
        rgb_jpeg_without_hint(rgb),
        jpeg(GREY),
    ]
    one = encapsulated(frames[0], JPEGBaseline8Bit, rgb)
    data = edited(
        one,
        NumberOfFrames=3,
        PixelData=encapsulate(frames),
        SequenceOfUltrasoundRegions=[REGION],
    )
    cleaned = clean(data, KEY).data
    for number in (1, 2, 3):
        picture = decode(cleaned, frame=number).pixels.astype(int)
        assert np.abs(picture[8:] - GREY[8:]).max() <= 8
        assert (picture[:8] == 0).all()


@pytest.mark.parametrize("keyword", ["NumberOfFrames", "RescaleSlope", "BitsStored"])
def test_a_number_that_is_written_twice_is_that_number(keyword):
    number = 8 if keyword == "BitsStored" else 1
    for picture in both(dicom_file(GREY, **{keyword: [number, number]})):
        assert (picture == GREY).all()


@pytest.mark.parametrize("skipped", [slice(0, 128), slice(128, 132)])
def test_half_a_preamble_is_read(skipped):
    data = dicom_file(GREY)
    for picture in both(data[: skipped.start] + data[skipped.stop :]):
        assert (picture == GREY).all()


def test_a_column_too_few_in_a_low_picture_is_refused():
    low = GREY[:24]
    with pytest.raises(ImageUnreadable, match="check Rows"):
        decode(dicom_file(low, Columns=95))
    padded = dicom_file(low, PixelData=low.tobytes() + bytes(24))
    assert (decode(padded).pixels == low).all()
