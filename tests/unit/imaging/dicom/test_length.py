"""Pixel data that are longer than the header says are refused or reported."""

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from shared.imaging import decode
from shared.imaging.deidentify import clean
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
)


def attributes(data: bytes) -> str:
    findings = decode(data).findings
    found = [
        item.facts["attributes"] for item in findings if item.code == CONTRADICTION
    ]
    return ", ".join(str(names) for names in found)


@pytest.mark.parametrize("masked", [False, True])
def test_full_chroma_under_a_label_of_half_is_read_and_kept_whole(masked):
    data = dicom_file(RGB, PhotometricInterpretation="YBR_FULL_422")
    assert (decode(data).pixels == grey_of(RGB)).all()
    assert attributes(data) == "Photometric Interpretation"
    if masked:
        data = edited(data, SequenceOfUltrasoundRegions=[region(0, 8, 95, 63)])
    cleaned = clean(data, KEY)
    assert CONTRADICTION in codes(cleaned)
    assert (decode(cleaned.data).pixels[8:] == grey_of(RGB)[8:]).all()


@pytest.mark.parametrize(
    "data",
    [
        dicom_file(GREY, Columns=95),
        dicom_file(GREY, Rows=63),
        dicom_file(RGB, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2"),
        dicom_file(DEEP, BitsAllocated=8, BitsStored=8, HighBit=7),
        compressed(dicom_file(GREY), RLELossless, Columns=95),
    ],
    ids=["columns", "rows", "samples", "bits", "run length"],
)
def test_pixel_data_longer_than_the_header_says_are_refused(data):
    with pytest.raises(ImageUnreadable, match=r"holds .* bytes.*check Rows"):
        decode(data)
    with pytest.raises(ImageUnreadable, match=r"holds .* bytes.*check Rows"):
        clean(data, KEY)


def test_a_few_bytes_after_the_pixels_are_padding():
    data = dicom_file(GREY, PixelData=GREY.tobytes() + bytes(4))
    assert (decode(data).pixels == GREY).all()
    assert codes(decode(data)) == []


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_more_frames_than_the_header_says_are_reported(frames):
    stack = np.stack([GREY - index for index in range(frames)])
    data = dicom_file(stack)
    assert (decode(data).pixels == GREY).all()
    assert attributes(data) == "Number of Frames"
    assert CONTRADICTION in codes(clean(data, KEY))


@pytest.mark.parametrize(
    ("encode", "syntax"),
    [(jpeg, JPEGBaseline8Bit), (imagecodecs.jpegls_encode, JPEGLSLossless)],
)
@pytest.mark.parametrize("has_offsets", [True, False])
def test_more_coded_frames_than_the_header_says_are_reported(
    encode, syntax, has_offsets
):
    frames = [encode(GREY), encode(255 - GREY)]
    one = encapsulated(frames[0], syntax, GREY)
    data = edited(one, PixelData=encapsulate(frames, has_bot=has_offsets))
    assert (decode(data).pixels == decode(one).pixels).all()
    assert attributes(data) == "Number of Frames"
    assert codes(decode(one)) == []
    cleaned = clean(data, KEY)
    assert CONTRADICTION in codes(cleaned)
    assert (decode(cleaned.data).pixels == decode(one).pixels).all()


def test_more_run_length_coded_frames_than_the_header_says_are_reported():
    stack = dicom_file(np.stack([GREY, 255 - GREY]), NumberOfFrames=2)
    data = edited(compressed(stack, RLELossless), "NumberOfFrames")
    assert (decode(data).pixels == GREY).all()
    assert attributes(data) == "Number of Frames"
