"""The sign of coded samples, frames that are cut short, and JFIF markers on lossless frames."""

import imagecodecs
import numpy as np
import pytest
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from shared.imaging import decode
from shared.imaging.deidentify import clean
from shared.imaging.errors import ImageUnreadable
from tests.support.builders import dicom_file
from tests.support.dicom_files import (
    CONTRADICTION,
    GREY,
    KEY,
    RGB,
    codes,
    edited,
    encapsulated,
    grey_of,
    jpeg,
    region,
)

LOSSY_LEVELS = 4
JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"


def j2k(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(
        pixels, level=0, reversible=True, codecformat="J2K"
    )


def attributes(data: bytes) -> list[object]:
    findings = decode(data).findings
    return [item.facts["attributes"] for item in findings if item.code == CONTRADICTION]


@pytest.mark.parametrize(
    ("frame", "syntax"),
    [
        (jpeg(GREY), JPEGBaseline8Bit),
        (imagecodecs.jpegls_encode(GREY), JPEGLSLossless),
        (imagecodecs.ljpeg_encode(GREY), JPEGLosslessSV1),
        (j2k(GREY), JPEG2000Lossless),
    ],
)
def test_unsigned_frames_labelled_signed_are_read_as_they_are(frame, syntax):
    data = encapsulated(frame, syntax, GREY, PixelRepresentation=1)
    difference = np.abs(decode(data).pixels.astype(int) - GREY)
    assert difference.max() <= LOSSY_LEVELS
    assert attributes(data) == ["Pixel Representation"]
    masked = edited(data, SequenceOfUltrasoundRegions=[region(0, 8, 95, 63)])
    cleaned = clean(masked, KEY)
    assert CONTRADICTION in codes(cleaned)
    assert (decode(cleaned.data).pixels[8:] == decode(data).pixels[8:]).all()


def test_signed_jpeg_2000_labelled_unsigned_is_read_as_it_is():
    signed = (GREY.astype(np.int16) - 128).astype(np.int8)
    for label, names in ((0, ["Pixel Representation"]), (1, [])):
        data = encapsulated(
            j2k(signed), JPEG2000Lossless, GREY, PixelRepresentation=label
        )
        assert (decode(data).pixels == GREY).all()
        assert attributes(data) == names


def test_twos_complement_in_a_lossless_frame_keeps_its_label():
    twos_complement = GREY ^ 128
    frame = imagecodecs.jpegls_encode(twos_complement)
    data = encapsulated(frame, JPEGLSLossless, GREY, PixelRepresentation=1)
    assert (decode(data).pixels == GREY).all()
    assert attributes(data) == []


def test_uncompressed_samples_labelled_signed_are_read_as_they_are():
    data = dicom_file(GREY, PixelRepresentation=1)
    assert (decode(data).pixels == GREY).all()
    assert attributes(data) == ["Pixel Representation"]
    signed = dicom_file(GREY ^ 128, PixelRepresentation=1)
    assert (decode(signed).pixels == GREY).all()
    assert attributes(signed) == []


@pytest.mark.parametrize(
    ("encode", "syntax"),
    [
        (imagecodecs.jpegls_encode, JPEGLSLossless),
        (imagecodecs.ljpeg_encode, JPEGLosslessSV1),
    ],
)
def test_a_lossless_frame_cut_short_is_refused(encode, syntax):
    frame = encode(GREY)
    padded = encapsulated(frame + b"\0\0", syntax, GREY)
    assert (decode(padded).pixels == GREY).all()
    for length in (len(frame) // 2, len(frame) - 3):
        with pytest.raises(ImageUnreadable, match="cut short"):
            decode(encapsulated(frame[:length], syntax, GREY))


def test_a_jfif_marker_says_nothing_of_a_lossless_frame():
    frame = imagecodecs.jpegls_encode(RGB)
    marked = frame[:2] + JFIF + frame[2:]
    data = encapsulated(marked, JPEGLSLossless, RGB)
    assert (decode(data).pixels == grey_of(RGB)).all()
    assert attributes(data) == []
