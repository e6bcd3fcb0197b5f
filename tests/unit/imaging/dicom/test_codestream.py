"""Compressed frames are read by what their own header says, also where they are blanked."""

from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from shared.imaging import UnsupportedImage, decode
from shared.imaging.deidentify import clean
from shared.imaging.dicom.codestream import Coding, Colour, describe_codestream
from shared.imaging.errors import ImageUnreadable
from tests.support.builders import dicom_file
from tests.support.dicom_files import (
    CONTRADICTION,
    DEEP,
    GREY,
    KEY,
    RGB,
    codes,
    compressed,
    edited,
    encapsulated,
    grey_of,
    jpeg,
    region,
    rgb_jpeg_without_hint,
    with_adobe_marker,
    without_markers,
)

LOSSY_LEVELS = 4
BANNER_ROWS = 8
REGION = region(left=0, top=BANNER_ROWS, right=95, bottom=63)
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def error_of(data: bytes, expected: np.ndarray) -> int:
    return int(np.abs(decode(data).pixels.astype(int) - expected).max())


def blanked(data: bytes):
    return clean(edited(data, SequenceOfUltrasoundRegions=[REGION]), KEY)


def jfif(**options: object) -> bytes:
    return jpeg(RGB, **options)


def plain(**options: object) -> bytes:
    return without_markers(jpeg(RGB, **options))


HONEST = [
    (jfif(), "YBR_FULL_422"),
    (plain(), "YBR_FULL_422"),
    (plain(subsampling=0), "YBR_FULL"),
    (with_adobe_marker(plain(), 1), "YBR_FULL_422"),
    (jpeg(RGB, keep_rgb=True, subsampling=0), "RGB"),
    (with_adobe_marker(rgb_jpeg_without_hint(RGB), 0), "RGB"),
    (rgb_jpeg_without_hint(RGB), "RGB"),
]
CONTRADICTED = [
    (jfif(), "RGB"),
    (plain(), "RGB"),
    (plain(subsampling=0), "RGB"),
    (with_adobe_marker(plain(), 1), "RGB"),
    (jpeg(RGB, keep_rgb=True, subsampling=0), "YBR_FULL_422"),
    (with_adobe_marker(rgb_jpeg_without_hint(RGB), 0), "YBR_FULL_422"),
    (rgb_jpeg_without_hint(RGB), "YBR_FULL"),
    (jfif(), "YBR_RCT"),
    (jfif(), "MONOCHROME2"),
]


@pytest.mark.parametrize(("frame", "label"), HONEST)
def test_colour_of_a_jpeg_is_that_of_its_stream(frame, label):
    data = encapsulated(frame, JPEGBaseline8Bit, RGB, PhotometricInterpretation=label)
    assert error_of(data, grey_of(RGB)) <= LOSSY_LEVELS
    assert CONTRADICTION not in codes(decode(data))


@pytest.mark.parametrize(("frame", "label"), CONTRADICTED)
def test_a_label_that_contradicts_the_colour_of_a_jpeg_is_reported(frame, label):
    data = encapsulated(frame, JPEGBaseline8Bit, RGB, PhotometricInterpretation=label)
    image = decode(data)
    assert error_of(data, grey_of(RGB)) <= LOSSY_LEVELS
    (finding,) = [found for found in image.findings if found.code == CONTRADICTION]
    assert finding.facts == {"attributes": "Photometric Interpretation"}


@pytest.mark.parametrize(("frame", "label"), CONTRADICTED)
def test_a_blanked_frame_has_the_colours_of_its_stream_and_the_finding(frame, label):
    data = encapsulated(frame, JPEGBaseline8Bit, RGB, PhotometricInterpretation=label)
    cleaned = blanked(data)
    pixels = decode(cleaned.data).pixels
    assert (pixels[:BANNER_ROWS] == 0).all()
    assert (pixels[BANNER_ROWS:] == decode(data).pixels[BANNER_ROWS:]).all()
    assert CONTRADICTION in codes(cleaned)
    assert CONTRADICTION not in codes(decode(cleaned.data))


def planar_files() -> list[bytes]:
    baseline = encapsulated(
        jfif(), JPEGBaseline8Bit, RGB, PhotometricInterpretation="YBR_FULL_422"
    )
    j2k = compressed(
        dicom_file(RGB, PhotometricInterpretation="YBR_RCT"), JPEG2000Lossless
    )
    names = ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jls_lossy_sample.dcm")
    return [baseline, j2k, *((PYDICOM_FILES / name).read_bytes() for name in names)]


@pytest.mark.parametrize("data", planar_files())
def test_compressed_colour_is_by_pixel_whatever_the_header_says(data):
    honest = edited(data, PlanarConfiguration=0)
    contradicted = edited(data, PlanarConfiguration=1)
    expected = decode(honest).pixels
    assert (decode(contradicted).pixels == expected).all()
    assert CONTRADICTION in codes(decode(contradicted))
    assert CONTRADICTION not in codes(decode(honest))
    without = edited(data, "PlanarConfiguration")
    assert (decode(without).pixels == expected).all()


def test_planes_of_run_length_coding_are_those_of_its_segments():
    data = compressed(dicom_file(RGB), RLELossless)
    for planes in (0, 1):
        image = decode(edited(data, PlanarConfiguration=planes))
        assert (image.pixels == grey_of(RGB)).all()
        assert CONTRADICTION not in codes(image)


@pytest.mark.parametrize("label", ["RGB", "YBR_RCT", "YBR_ICT"])
def test_jpeg_2000_with_its_own_colour_transform_is_rgb(label):
    data = compressed(
        dicom_file(RGB, PhotometricInterpretation="YBR_RCT"),
        JPEG2000Lossless,
        PhotometricInterpretation=label,
    )
    assert (decode(data).pixels == grey_of(RGB)).all()
    assert CONTRADICTION not in codes(decode(data))


@pytest.mark.parametrize(
    ("coded", "label"),
    [("YBR_RCT", "YBR_FULL"), ("RGB", "YBR_RCT"), ("RGB", "YBR_FULL")],
)
def test_a_label_that_contradicts_the_transform_of_jpeg_2000_is_reported(coded, label):
    data = compressed(
        dicom_file(RGB, PhotometricInterpretation=coded),
        JPEG2000Lossless,
        PhotometricInterpretation=label,
    )
    assert (decode(data).pixels == grey_of(RGB)).all()
    assert CONTRADICTION in codes(decode(data))
    cleaned = blanked(data)
    assert CONTRADICTION in codes(cleaned)
    pixels = decode(cleaned.data).pixels
    assert (pixels[BANNER_ROWS:] == grey_of(RGB)[BANNER_ROWS:]).all()


@pytest.mark.parametrize(
    ("pixels", "depth", "header", "contradicts"),
    [
        (DEEP, 12, {"BitsStored": 12, "HighBit": 11}, False),
        (DEEP, 16, {"BitsStored": 12, "HighBit": 11}, False),
        (DEEP, 12, {"BitsStored": 16, "HighBit": 15}, True),
        (DEEP, 12, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, True),
        (GREY, 8, {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}, True),
        (GREY.astype(np.uint16) * 257, 16, {"BitsStored": 12, "HighBit": 11}, True),
    ],
)
def test_depth_of_jpeg_2000_is_that_of_its_stream(pixels, depth, header, contradicts):
    plain = dicom_file(pixels, BitsStored=depth, HighBit=depth - 1)
    data = compressed(plain, JPEG2000Lossless, **header)
    assert error_of(data, GREY) == 0
    assert (CONTRADICTION in codes(decode(data))) is contradicts
    assert error_of(clean(data, KEY).data, GREY) == 0
    assert (decode(blanked(data).data).pixels[BANNER_ROWS:] == GREY[BANNER_ROWS:]).all()


@pytest.mark.parametrize(
    ("pixels", "header"),
    [
        (RGB, {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}),
        (RGB, {"PhotometricInterpretation": "YBR_FULL"}),
        (GREY, {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}),
        (GREY, {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}),
    ],
)
def test_samples_of_run_length_coding_are_those_of_its_segments(pixels, header):
    data = compressed(dicom_file(pixels), RLELossless, **header)
    expected = grey_of(pixels) if pixels.ndim == 3 else pixels
    assert error_of(data, expected) == 0
    assert CONTRADICTION in codes(decode(data))
    assert CONTRADICTION in codes(clean(data, KEY))


@pytest.mark.parametrize(
    ("frame", "header_of", "expected"),
    [(jpeg(RGB), GREY, grey_of(RGB)), (jpeg(GREY), RGB, GREY)],
)
def test_samples_of_a_jpeg_are_those_of_its_stream(frame, header_of, expected):
    data = encapsulated(frame, JPEGBaseline8Bit, header_of)
    image = decode(data)
    assert error_of(data, expected) <= LOSSY_LEVELS
    (finding,) = [found for found in image.findings if found.code == CONTRADICTION]
    assert "Samples per Pixel" in finding.facts["attributes"]


def test_a_frame_of_another_family_than_named_is_read_and_reported():
    data = encapsulated(jpeg(GREY), JPEG2000Lossless, GREY)
    assert error_of(data, GREY) <= LOSSY_LEVELS
    assert CONTRADICTION in codes(decode(data))
    assert error_of(clean(data, KEY).data, GREY) <= LOSSY_LEVELS


@pytest.mark.parametrize(
    ("name", "coding", "components", "precision"),
    [
        ("SC_rgb_jpeg_gdcm.dcm", Coding.JPEG_LOSSLESS, 3, 8),
        ("JPGExtended.dcm", Coding.JPEG_DCT, 1, 12),
        ("MR_small_jpeg_ls_lossless.dcm", Coding.JPEG_LS, 1, 16),
        ("MR_small_jp2klossless.dcm", Coding.JPEG_2000, 1, 16),
    ],
)
def test_a_codestream_says_its_family_and_its_samples(
    name, coding, components, precision
):
    dataset = dcmread(PYDICOM_FILES / name)
    frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    codestream = describe_codestream(frame)
    assert codestream.coding is coding
    assert (codestream.components, codestream.precision) == (components, precision)


def test_only_chroma_is_subsampled():
    codestream = describe_codestream(plain(subsampling=2))
    assert (codestream.is_subsampled, codestream.colour) == (True, Colour.YBR)
    assert describe_codestream(plain(subsampling=0)).colour is None


def test_eight_bits_in_an_extended_jpeg_of_twelve_are_read_as_eight():
    """All but 2 of its values are below 256."""
    data = (PYDICOM_FILES / "JPGExtended.dcm").read_bytes()
    frame = pydicom.encaps.get_frame(dcmread(BytesIO(data)).PixelData, 0)
    stored = imagecodecs.jpeg8_decode(frame)
    image = decode(data)
    assert (image.pixels == stored.clip(max=255)).all()
    assert "depth-guessed" in codes(image)


def test_a_jpeg_ls_colour_transform_outside_the_standard_is_refused_by_name():
    dataset = dcmread(PYDICOM_FILES / "SC_rgb_jls_lossy_line.dcm")
    frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    marked = frame[:2] + b"\xff\xe8\x00\x07mrfx\x01" + frame[2:]
    dataset.PixelData = pydicom.encaps.encapsulate([marked])
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    for read in (decode, lambda file: clean(file, KEY)):
        with pytest.raises(UnsupportedImage, match="JPEG-LS with a colour transform"):
            read(stream.getvalue())


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
        ("1.2.840.10008.1.2.4.102", "MPEG-4"),
        ("1.2.840.10008.1.2.4.107", "HEVC"),
    ],
)
def test_a_video_is_refused_with_what_to_send_instead(syntax, name):
    data = encapsulated(b"\0\0\0\x01video!", syntax, GREY)
    for read in (decode, lambda file: clean(file, KEY)):
        with pytest.raises(UnsupportedImage, match=f"{name}.*JPEG frames"):
            read(data)


def test_bytes_that_are_no_frame_of_the_named_family_are_refused_by_the_attribute():
    data = encapsulated(b"nothing of a picture", JPEGBaseline8Bit, GREY)
    with pytest.raises(ImageUnreadable, match="Transfer Syntax UID"):
        decode(data)
