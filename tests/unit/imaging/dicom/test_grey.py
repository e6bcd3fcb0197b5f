"""One picture gives the same pixels in every depth, polarity and palette that may hold it."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from shared.imaging import decode
from shared.imaging.deidentify import clean
from tests.support.builders import dicom_file
from tests.support.dicom_files import (
    GREY,
    KEY,
    RGB,
    codes,
    edited,
    grey_of,
    region,
)

WIDE = GREY.astype(np.uint16)
TEN_BITS = WIDE * 4 + WIDE // 64
TWELVE_BITS = WIDE * 16 + WIDE // 16
BANNER_ROWS = 8
REGION = region(left=0, top=BANNER_ROWS, right=95, bottom=63)
MONOCHROME1 = {"PhotometricInterpretation": "MONOCHROME1"}
TWELVE_LOW = {"BitsStored": 12, "HighBit": 11}
TWELVE_HIGH = {"BitsStored": 12, "HighBit": 15}


def signed(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int16).view(np.uint16)


SAME_PICTURES = {
    "8 bits": (GREY, {}),
    "identity rescale": (GREY, {"RescaleSlope": 1, "RescaleIntercept": 0}),
    "any linear rescale": (GREY, {"RescaleSlope": 2, "RescaleIntercept": -100}),
    "whole window": (GREY, {"WindowCenter": 128, "WindowWidth": 256}),
    "8 of 16 bits": (WIDE, {"BitsStored": 8, "HighBit": 7}),
    "8 of 16 bits, high": (WIDE << 8, {"BitsStored": 8, "HighBit": 15}),
    "12 of 16 bits": (TWELVE_BITS, TWELVE_LOW),
    "12 of 16 bits, high": (TWELVE_BITS << 4, TWELVE_HIGH),
    "8 bits shifted up to 12": (WIDE << 4, TWELVE_LOW),
    "8 bits shifted up to 12 of 16 bits, high": (WIDE << 8, TWELVE_HIGH),
    "8 bits shifted up to 10": (WIDE << 2, {"BitsStored": 10, "HighBit": 9}),
    "12 signed bits": (
        signed(TWELVE_BITS.astype(int) - 2048),
        {**TWELVE_LOW, "PixelRepresentation": 1},
    ),
    "8 bits shifted up to 12 signed bits": (
        signed(WIDE.astype(int) * 16 - 2048),
        {**TWELVE_LOW, "PixelRepresentation": 1},
    ),
    "16 bits": (WIDE * 257, {}),
    "8 bits shifted up": (WIDE << 8, {}),
    "10 bits shifted up": (TEN_BITS << 6, {}),
    "12 bits shifted up": (TWELVE_BITS << 4, {}),
}
SMALLER_DEPTHS = {8: WIDE, 10: TEN_BITS, 12: TWELVE_BITS}


@pytest.mark.parametrize("name", SAME_PICTURES)
def test_one_picture_is_the_same_in_every_depth(name):
    pixels, header = SAME_PICTURES[name]
    image = decode(dicom_file(pixels, **header))
    assert (image.pixels == GREY).all()
    assert image.findings == ()


@pytest.mark.parametrize("name", SAME_PICTURES)
def test_blanking_changes_nothing_inside_the_region(name):
    pixels, header = SAME_PICTURES[name]
    data = dicom_file(pixels, SequenceOfUltrasoundRegions=[REGION], **header)
    blanked = decode(clean(data, KEY).data).pixels
    assert (blanked[BANNER_ROWS:] == GREY[BANNER_ROWS:]).all()
    assert (blanked[:BANNER_ROWS] == 0).all()


@pytest.mark.parametrize("bits", SMALLER_DEPTHS)
@pytest.mark.parametrize("header", [{}, MONOCHROME1])
def test_a_declared_depth_of_16_bits_that_holds_fewer_is_guessed_and_reported(
    bits, header
):
    expected = 255 - GREY if header else GREY
    data = dicom_file(
        SMALLER_DEPTHS[bits], SequenceOfUltrasoundRegions=[REGION], **header
    )
    for image in (decode(data), decode(clean(data, KEY).data)):
        assert (image.pixels[BANNER_ROWS:] == expected[BANNER_ROWS:]).all()
        (finding,) = [
            found for found in image.findings if found.code == "depth-guessed"
        ]
        assert finding.facts["bits"] == bits
    assert (image.pixels[:BANNER_ROWS] == 0).all()


def test_a_dark_picture_of_16_bits_stays_one():
    dark = (GREY // 3).astype(np.uint16) * 257
    image = decode(dicom_file(dark))
    assert (image.pixels == GREY // 3).all()
    assert image.findings == ()


@pytest.mark.parametrize(
    ("pixels", "header", "attribute"),
    [
        (TWELVE_BITS, TWELVE_HIGH, "High Bit"),
        (TWELVE_BITS << 4, TWELVE_LOW, "High Bit"),
        (TWELVE_BITS, {"BitsStored": 8, "HighBit": 7}, "Bits Stored"),
    ],
)
def test_bits_that_the_values_contradict_are_read_as_they_lie(
    pixels, header, attribute
):
    data = dicom_file(pixels, **header)
    image = decode(data)
    assert (image.pixels == GREY).all()
    finding = image.findings[0]
    assert finding.code == "header-contradicts-pixels"
    assert finding.facts == {"attributes": attribute}
    blanked = clean(edited(data, SequenceOfUltrasoundRegions=[REGION]), KEY)
    assert "header-contradicts-pixels" in codes(blanked)
    pixels = decode(blanked.data).pixels
    assert (pixels[BANNER_ROWS:] == GREY[BANNER_ROWS:]).all()


def test_an_overlay_in_the_unused_bits_is_no_picture():
    overlay = TWELVE_BITS.copy()
    overlay[::16, ::16] |= 0x8000
    image = decode(dicom_file(overlay, **TWELVE_LOW))
    assert (image.pixels == GREY).all()
    assert image.findings == ()


@pytest.mark.parametrize(
    ("interpretation", "shape", "is_inverted", "finding"),
    [
        ("MONOCHROME1", None, True, []),
        ("MONOCHROME2", None, False, []),
        ("MONOCHROME1", "INVERSE", True, []),
        ("MONOCHROME2", "IDENTITY", False, []),
        ("MONOCHROME2", "INVERSE", True, ["polarity-unclear"]),
        ("MONOCHROME1", "IDENTITY", False, ["polarity-unclear"]),
    ],
)
def test_black_is_what_the_header_shows_as_black(
    interpretation, shape, is_inverted, finding
):
    """The pictures are those of DCMTK's dcmj2pnm 3.6.7."""
    header = {"PhotometricInterpretation": interpretation}
    if shape:
        header["PresentationLUTShape"] = shape
    data = dicom_file(GREY, SequenceOfUltrasoundRegions=[REGION], **header)
    expected = 255 - GREY if is_inverted else GREY
    assert (decode(data).pixels == expected).all()
    assert codes(decode(data)) == finding
    blanked = decode(clean(data, KEY).data).pixels
    assert (blanked[:BANNER_ROWS] == 0).all()
    assert (blanked[BANNER_ROWS:] == expected[BANNER_ROWS:]).all()


def test_a_negative_slope_turns_the_greys_round():
    data = dicom_file(
        GREY,
        RescaleSlope=-1,
        RescaleIntercept=255,
        SequenceOfUltrasoundRegions=[REGION],
    )
    assert (decode(data).pixels == 255 - GREY).all()
    assert (decode(clean(data, KEY).data).pixels[:BANNER_ROWS] == 0).all()


def test_a_falling_table_turns_the_greys_round():
    item = Dataset()
    item.LUTDescriptor = [256, 0, 8]
    item.LUTData = list(range(255, -1, -1))
    item["LUTData"].VR = "US"
    data = dicom_file(GREY, VOILUTSequence=[item], SequenceOfUltrasoundRegions=[REGION])
    assert (decode(data).pixels == 255 - GREY).all()
    blanked = decode(clean(data, KEY).data).pixels
    assert (blanked[:BANNER_ROWS] == 0).all()
    assert (blanked[BANNER_ROWS:] == 255 - GREY[BANNER_ROWS:]).all()


def test_the_sigmoid_window_is_not_taken_as_a_linear_one():
    """PS3.3, C.11.2.1.3.1: half of the output at the centre, 1 / (1 + exp(-2)) at its edge."""
    header = {"WindowCenter": 100, "WindowWidth": 80, "VOILUTFunction": "SIGMOID"}
    ramp = np.tile(np.arange(96, 192, dtype=np.uint8), (64, 1))
    shown = decode(dicom_file(ramp, **header)).pixels[0]
    assert abs(int(shown[100 - 96]) - 127.5) <= 0.5
    assert abs(int(shown[140 - 96]) - 255 / (1 + np.exp(-2))) <= 0.5


def test_grey_without_a_customary_white_is_stretched_with_a_finding():
    image = decode(
        dicom_file(signed(WIDE.astype(int) * 20 - 3000), PixelRepresentation=1)
    )
    assert (image.pixels.min(), image.pixels.max()) == (0, 255)
    assert codes(image) == ["grey-stretched"]


COLOURS = {
    "8 bits": (RGB, {}),
    "16 bits": (RGB.astype(np.uint16) * 257, {}),
    "8 bits shifted up": (RGB.astype(np.uint16) << 8, {}),
    "8 of 16 bits": (RGB.astype(np.uint16), {"BitsStored": 8, "HighBit": 7}),
}


@pytest.mark.parametrize("name", COLOURS)
def test_one_colour_picture_is_the_same_in_every_depth(name):
    pixels, header = COLOURS[name]
    image = decode(dicom_file(pixels, **header))
    assert (image.pixels == grey_of(RGB)).all()
    assert codes(image) == ["colour-overlay"]


@pytest.mark.parametrize("has_planes", [False, True])
def test_an_absent_planar_configuration_is_taken_from_the_picture(has_planes):
    pixels = RGB.transpose(2, 0, 1) if has_planes else RGB
    data = edited(
        dicom_file(RGB, SequenceOfUltrasoundRegions=[REGION]),
        "PlanarConfiguration",
        PixelData=pixels.tobytes(),
    )
    image = decode(data)
    assert (image.pixels == grey_of(RGB)).all()
    assert image.findings[0].code == "header-value-guessed"
    assert image.findings[0].facts == {"attributes": "Planar Configuration"}
    cleaned = clean(data, KEY)
    assert "header-value-guessed" in codes(cleaned)
    pixels = decode(cleaned.data).pixels
    assert (pixels[BANNER_ROWS:] == grey_of(RGB)[BANNER_ROWS:]).all()


PALETTES = {
    "16 bits": (np.arange(256) * 257, 16, []),
    "8 bits shifted up": (np.arange(256) << 8, 16, []),
    "8 of 16 bits": (np.arange(256), 16, ["depth-guessed"]),
    "8 bits in words": (np.arange(256), 8, []),
}


def palette_file(table: np.ndarray, bits: int, **elements: object) -> bytes:
    for name in ("Red", "Green", "Blue"):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        words = table.astype(np.uint16).tobytes()
        elements[f"{name}PaletteColorLookupTableData"] = words
    return dicom_file(GREY, PhotometricInterpretation="PALETTE COLOR", **elements)


@pytest.mark.parametrize("name", PALETTES)
@pytest.mark.parametrize("is_inverted", [False, True])
def test_one_palette_is_the_same_in_every_depth(name, is_inverted):
    table, bits, findings = PALETTES[name]
    expected = 255 - GREY if is_inverted else GREY
    table = table[::-1] if is_inverted else table
    data = palette_file(table, bits, SequenceOfUltrasoundRegions=[REGION])
    image = decode(data)
    assert (image.pixels == expected).all()
    assert codes(image) == findings
    blanked = decode(clean(data, KEY).data).pixels
    assert (blanked[:BANNER_ROWS] == 0).all()
    assert (blanked[BANNER_ROWS:] == expected[BANNER_ROWS:]).all()


def test_palettes_of_big_endian_files_are_turned_round():
    table = np.arange(256) * 256 + 3
    dataset = dcmread(BytesIO(palette_file(table, 16)))
    for name in ("Red", "Green", "Blue"):
        words = table.astype(">u2").tobytes()
        setattr(dataset, f"{name}PaletteColorLookupTableData", words)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    stream = BytesIO()
    dcmwrite(stream, dataset, implicit_vr=False, little_endian=False)
    plain = decode(palette_file(table, 16)).pixels
    assert (decode(stream.getvalue()).pixels == plain).all()
