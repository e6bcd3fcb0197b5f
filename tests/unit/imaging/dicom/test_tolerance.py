"""What needs no guess is read; what cannot be read is refused by the name of its attribute."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit

from shared.imaging import UnsupportedImage, decode
from shared.imaging.deidentify import clean
from shared.imaging.errors import ImageUnreadable
from tests.support.builders import dicom_file
from tests.support.dicom_files import (
    GREY,
    KEY,
    codes,
    edited,
    encapsulated,
    jpeg,
    with_raw_value,
)

FILE = dicom_file(GREY, PatientName="Doe^Jane")
PREAMBLE = 132
"""128 free bytes and `DICM`."""
LOSSY_LEVELS = 4


def meta_length() -> int:
    """Bytes of the file meta information, after its first element of 12 bytes."""
    meta = dcmread(BytesIO(FILE)).file_meta
    return 12 + int(meta.FileMetaInformationGroupLength)


def elements_only(data: bytes, implicit: bool, little_endian: bool = True) -> bytes:
    """The data set alone, as it is sent over the network."""
    dataset = dcmread(BytesIO(data))
    plain = Dataset(dict(dataset.items()))
    stream = BytesIO()
    dcmwrite(stream, plain, implicit_vr=implicit, little_endian=little_endian)
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        FILE[PREAMBLE:],
        FILE[PREAMBLE + meta_length() :],
        FILE[:PREAMBLE] + FILE[PREAMBLE + meta_length() :],
        elements_only(FILE, implicit=True),
        elements_only(FILE, implicit=False, little_endian=False),
    ],
    ids=[
        "no preamble",
        "no preamble and no meta",
        "preamble without meta",
        "implicit",
        "big endian",
    ],
)
def test_a_file_without_preamble_or_meta_information_is_read(data):
    assert (decode(data).pixels == GREY).all()
    assert decode(data).findings == ()
    cleaned = clean(data, KEY)
    assert (decode(cleaned.data).pixels == GREY).all()
    assert "preamble" not in cleaned.removed
    assert b"Doe" not in cleaned.data


def test_coded_frames_without_meta_information_are_read_by_their_own_header():
    coded = encapsulated(jpeg(GREY), JPEGBaseline8Bit, GREY)
    data = elements_only(coded, implicit=False)
    differences = decode(data).pixels.astype(int) - GREY
    assert abs(differences).max() <= LOSSY_LEVELS
    assert (decode(clean(data, KEY).data).pixels == decode(data).pixels).all()


def test_coded_frames_under_the_name_of_plain_pixels_are_read_and_reported():
    coded = encapsulated(jpeg(GREY), JPEGBaseline8Bit, GREY)
    data = coded.replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.1\0\0\0")
    image = decode(data)
    assert abs(image.pixels.astype(int) - GREY).max() <= LOSSY_LEVELS
    assert codes(image) == ["header-contradicts-pixels"]
    assert codes(clean(data, KEY)) == ["header-contradicts-pixels"]


@pytest.mark.parametrize(
    "start",
    [b"\x08\x00\x05\x00ZZ", b"\x08\x00\xff\xff\x04\0\0\0", b"\x09\x00\x05\x00CS"],
)
def test_other_bytes_are_no_data_set(start):
    with pytest.raises(UnsupportedImage, match="of a type"):
        decode(start.ljust(400, b"\xff"))


@pytest.mark.parametrize(
    ("keyword", "text", "findings"),
    [
        ("NumberOfFrames", "None", ["header-value-unusable"]),
        ("WindowWidth", "25,6", ["header-value-unusable"]),
        ("WindowCenter", "128,", ["header-value-unusable"]),
        ("RescaleSlope", "x", ["header-value-unusable"]),
        ("RescaleSlope", "0", ["header-value-unusable"]),
        ("RescaleIntercept", "0,5", ["header-value-unusable"]),
        ("PixelAspectRatio", "N/A", []),
        ("PhotometricInterpretation", "Monochrome2", []),
        ("PhotometricInterpretation", "MONOCHROME_2", []),
    ],
)
def test_a_value_that_the_picture_can_miss_does_not_refuse_it(keyword, text, findings):
    data = with_raw_value(FILE, keyword, text)
    assert (decode(data).pixels == GREY).all()
    assert codes(decode(data)) == findings
    cleaned = clean(data, KEY)
    assert (decode(cleaned.data).pixels == GREY).all()
    assert codes(cleaned) == findings
    assert codes(decode(cleaned.data)) == []


@pytest.mark.parametrize(
    ("keyword", "findings"),
    [
        ("SamplesPerPixel", []),
        ("BitsAllocated", []),
        ("HighBit", []),
        ("PixelRepresentation", []),
        ("PhotometricInterpretation", ["header-value-guessed"]),
    ],
)
def test_a_missing_attribute_that_follows_from_the_others_is_no_loss(keyword, findings):
    data = edited(FILE, keyword)
    assert (decode(data).pixels == GREY).all()
    assert codes(decode(data)) == findings
    assert (decode(clean(data, KEY).data).pixels == GREY).all()


@pytest.mark.parametrize(
    ("keyword", "value", "name"),
    [
        ("BitsAllocated", 13, "Bits Allocated .0028,0100. is not 1, 8, 16, 32 or 64"),
        ("BitsStored", 9, "Bits Stored .0028,0101. does not fit"),
        ("SamplesPerPixel", 2, "Samples per Pixel .0028,0002. is neither 1 nor 3"),
        ("PixelRepresentation", 2, "Pixel Representation .0028,0103. is neither"),
        ("PhotometricInterpretation", "HSV", "Photometric Interpretation .0028,0004."),
        ("Rows", 0, "Rows .0028,0010. is missing or 0"),
    ],
)
def test_an_attribute_at_fault_is_named_and_its_value_is_not(keyword, value, name):
    data = dicom_file(GREY, **{keyword: value})
    for read in (decode, lambda file: clean(file, KEY)):
        with pytest.raises(ImageUnreadable, match=name) as refusal:
            read(data)
        assert "HSV" not in str(refusal.value)


@pytest.mark.parametrize("keyword", ["Rows", "BitsStored", "SamplesPerPixel"])
def test_text_where_decoding_needs_a_number_is_refused_by_the_attribute(keyword):
    data = with_raw_value(FILE, keyword, "three")
    with pytest.raises(ImageUnreadable, match="is no whole number"):
        decode(data)


def test_a_palette_without_its_table_is_refused_by_the_attribute():
    data = dicom_file(GREY, PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(ImageUnreadable, match="Palette Color Lookup Table Descriptor"):
        decode(data)


def test_the_middle_frame_that_nobody_chose_is_reported():
    data = dicom_file(np.stack([GREY, GREY // 2, GREY // 3]), NumberOfFrames=3)
    guessed = decode(data)
    assert codes(guessed) == ["multi-frame", "frame-guessed"]
    assert guessed.findings[1].facts == {"frames": 3, "frame": 2}
    assert codes(decode(data, frame=2)) == ["multi-frame"]
