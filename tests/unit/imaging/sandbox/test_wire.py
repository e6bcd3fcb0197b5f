"""What a decoder says is believed only as far as a sound one could have said it."""

import json

import numpy as np
import pytest

from shared.domain.results.findings import Finding
from shared.errors import InputError
from shared.imaging import Box, ImageFormat, ImageTooSmall, Limits, UltrasoundImage
from shared.imaging.deidentify import clean
from shared.imaging.errors import ImageTruncated
from shared.imaging.sandbox.wire import (
    MOST_LETTERS,
    cleaned_message,
    image_message,
    read_cleaned,
    read_image,
    refusal_message,
)
from tests.support.builders import dicom_file

LIMITS = Limits(max_pixels=1000)
IMAGE = UltrasoundImage(
    np.arange(200, dtype=np.uint8).reshape(10, 20),
    ImageFormat.DICOM,
    (0.1, 1 / 3),
    Box(1, 2, 3, 4),
    (
        Finding(
            "multi-frame", "The file holds 3 frames.", {"frames": 3, "middle": True}
        ),
    ),
)


def sent(**changes):
    head, pixels = image_message(IMAGE)
    return json.loads(json.dumps(head | changes)), bytearray(pixels)


def test_an_image_is_read_as_it_was_sent():
    image = read_image(*sent(), LIMITS)
    assert (image.pixels == IMAGE.pixels).all()
    for name in ("format", "spacing_mm", "region", "findings"):
        assert getattr(image, name) == getattr(IMAGE, name)


def test_a_part_of_an_array_is_sent_as_it_looks():
    part = UltrasoundImage(IMAGE.pixels[:8, ::2], ImageFormat.PNG)
    head, pixels = image_message(part)
    assert (read_image(head, bytearray(pixels), LIMITS).pixels == part.pixels).all()


def test_a_refusal_is_read_as_it_was_sent():
    refusal = ImageTooSmall(width=3, height=4, min_side_px=8)
    answer = read_image(refusal_message(refusal), bytearray(), LIMITS)
    assert (type(answer), str(answer)) == (ImageTooSmall, str(refusal))


@pytest.mark.parametrize(
    "changes",
    [
        {"size": [10, 21]},
        {"size": [-10, -20]},
        {"size": [100, 200]},
        {"size": "large"},
        {"format": "exe"},
        {"spacing_mm": [0, 1]},
        {"spacing_mm": [1]},
        {"region": [0, 0, 21, 10]},
        {"region": [0, 0, 0, 0]},
        {"findings": [{"code": "code", "message": 3, "facts": {}}]},
        {"findings": [{"code": "code", "message": "Said.", "facts": {"frames": [3]}}]},
        {"refused": "no-such-code", "facts": {}},
        {"refused": "image-too-small", "facts": {"width": [1]}},
        {"refused": "image-too-small", "facts": {}},
    ],
)
def test_what_no_sound_decoder_says_is_not_believed(changes):
    with pytest.raises((KeyError, TypeError, ValueError, InputError)):
        read_image(*sent(**changes), LIMITS)


def test_a_sentence_of_any_length_is_cut():
    image = read_image(
        *sent(findings=[{"code": "code", "message": "x" * 10_000, "facts": {}}]), LIMITS
    )
    assert len(image.findings[0].message) == MOST_LETTERS


FILE = dicom_file(np.full((64, 96), 90, np.uint8), PatientName="Doe")
OTHER_SIZE = dicom_file(np.full((64, 95), 90, np.uint8))


def cleaned_sent(**changes):
    head, data = cleaned_message(clean(FILE, b"key"))
    return json.loads(json.dumps(head | changes)), bytearray(data)


def test_a_cleaned_file_is_read_as_it_was_sent():
    cleaned = read_cleaned(*cleaned_sent(), original=FILE, limits=Limits())
    assert cleaned.data == clean(FILE, b"key").data
    assert cleaned.removed == clean(FILE, b"key").removed


def test_why_a_file_cannot_be_cleaned_is_read_as_it_was_sent():
    refusal = ImageTruncated(format="DICOM", held=3, needed=4)
    answer = read_cleaned(
        refusal_message(refusal), bytearray(), original=FILE, limits=Limits()
    )
    assert (type(answer), str(answer)) == (ImageTruncated, str(refusal))


@pytest.mark.parametrize(
    "changes",
    [
        {"removed": None},
        {"removed": ["PatientName"]},
        {"removed": {"PatientName": "Doe"}},
        {"removed": {"PatientName": -1}},
        {"refused": "no-such-code", "facts": {}},
    ],
)
def test_counts_that_no_cleaning_gives_are_not_believed(changes):
    with pytest.raises((AttributeError, KeyError, ValueError)):
        read_cleaned(*cleaned_sent(**changes), original=FILE, limits=Limits())


@pytest.mark.parametrize("data", [b"", b"no image", FILE[:300], OTHER_SIZE])
def test_another_file_than_the_originals_is_not_believed(data):
    head, _ = cleaned_sent()
    with pytest.raises((InputError, ValueError)):
        read_cleaned(head, bytearray(data), original=FILE, limits=Limits())
