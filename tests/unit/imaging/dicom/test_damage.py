"""Damage that the decoder of JPEG does not notice."""

import cv2
import imagecodecs
import numpy as np
import pytest
from pydicom.uid import JPEGExtended12Bit

from shared.imaging import decode
from shared.imaging.dicom.jpeg_scan import ends_after
from shared.imaging.errors import ImageUnreadable
from tests.support.dicom_files import GREY, RGB, encapsulated, grey_of

DEPTH = {"BitsStored": 12, "HighBit": 11}
LEVEL = 95
LOSSY_LEVELS = 4
SMOOTH = cv2.GaussianBlur(GREY, (0, 0), 3)


def deep_jpeg(pixels: np.ndarray, **options: object) -> bytes:
    """The picture in JPEG of 12 bits."""
    deep = pixels.astype(np.uint16) * 16
    return bytes(
        imagecodecs.jpeg8_encode(deep, level=LEVEL, bitspersample=12, **options)
    )


def deep_file(frame: bytes, pixels: np.ndarray = GREY, **elements: object) -> bytes:
    deep = pixels.astype(np.uint16) * 16
    return encapsulated(frame, JPEGExtended12Bit, deep, **DEPTH, **elements)


def test_jpeg_of_twelve_bits_is_read():
    image = decode(deep_file(deep_jpeg(SMOOTH)))
    assert np.abs(image.pixels.astype(int) - SMOOTH).max() <= LOSSY_LEVELS
    assert image.findings == ()


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_colour_of_twelve_bits_is_read_with_and_without_subsampling(subsampling):
    smooth = cv2.GaussianBlur(RGB, (0, 0), 3)
    frame = deep_jpeg(smooth, colorspace="RGB", subsampling=subsampling)
    data = deep_file(frame, smooth, PhotometricInterpretation="YBR_FULL")
    difference = np.abs(decode(data).pixels.astype(int) - grey_of(smooth))
    assert difference.max() <= 2 * LOSSY_LEVELS


def test_jpeg_of_twelve_bits_that_is_cut_short_is_refused():
    frame = deep_jpeg(GREY)
    for length in (len(frame) // 2, len(frame) - 3):
        with pytest.raises(ImageUnreadable, match="cut short"):
            decode(deep_file(frame[:length]))


def test_a_hole_in_jpeg_of_twelve_bits_is_noticed():
    frame = deep_jpeg(GREY)
    for offset in range(len(frame) // 4, len(frame) - 80, len(frame) // 8):
        damaged = frame[:offset] + bytes(40) + frame[offset + 40 :]
        with pytest.raises(ImageUnreadable, match="damaged"):
            decode(deep_file(damaged))


def test_missing_and_added_values_in_jpeg_of_twelve_bits_are_noticed():
    frame = deep_jpeg(GREY)
    middle = len(frame) * 2 // 3
    for damaged in (
        frame[:middle] + frame[middle + 100 :],
        frame[:middle] + frame[middle - 100 :],
    ):
        with pytest.raises(ImageUnreadable, match="damaged"):
            decode(deep_file(damaged))


@pytest.mark.parametrize(
    ("values", "bits", "is_end"),
    [
        (b"\x5f", 3, True),
        (b"\x40", 3, True),
        (b"\x5b", 3, False),
        (b"\x5b", 8, True),
        (b"\x5b\x00\xff", 8, True),
        (b"\x5b\x01", 8, False),
        (b"\x5b", 9, False),
    ],
)
def test_only_padding_may_follow_the_values_of_a_scan(values, bits, is_end):
    assert ends_after(values, bits) is is_end
