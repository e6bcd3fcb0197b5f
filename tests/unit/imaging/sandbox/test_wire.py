"""The pool accepts only answers that an intact sandbox process can give."""

import json

import cv2
import numpy as np
import pytest

from shared.domain.results.findings import Finding
from shared.errors import InputError
from shared.imaging import Box, ImageFormat, ImageTooSmall, Limits, UltrasoundImage
from shared.imaging.deidentify import CleanedFile, clean
from shared.imaging.errors import ImageTruncated
from shared.imaging.image import Region
from shared.imaging.sandbox.checked import CheckedImage
from shared.imaging.sandbox.wire import (
    MAX_TEXT_LENGTH,
    checked_message,
    cleaned_message,
    image_message,
    read_checked,
    read_cleaned,
    read_cleaned_mask,
    read_image,
    refusal_message,
)
from tests.support.builders import dicom_file, encode

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
    (
        Region(Box(1, 2, 3, 4), (0.1, 1 / 3)),
        Region(Box(2, 2, 2, 2), None, is_low_priority=True, is_b_mode=False),
    ),
)


def message(**changes):
    head, pixels = image_message(IMAGE)
    return json.loads(json.dumps(head | changes)), bytearray(pixels)


def test_an_image_survives_the_message():
    image = read_image(*message(), LIMITS)
    assert (image.pixels == IMAGE.pixels).all()
    for name in ("format", "spacing_mm", "region", "findings", "regions"):
        assert getattr(image, name) == getattr(IMAGE, name)


def test_a_slice_of_an_array_survives_the_message():
    part = UltrasoundImage(IMAGE.pixels[:8, ::2], ImageFormat.PNG)
    head, pixels = image_message(part)
    assert (read_image(head, bytearray(pixels), LIMITS).pixels == part.pixels).all()


def test_a_refusal_survives_the_message():
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
        {"regions": [[0, 0, 21, 10, None, False]]},
        {"regions": [[0, 0, 2, 1, [0, 1], False]]},
        {"regions": [[0, 0, 2]]},
        {"findings": [{"code": "code", "message": 3, "facts": {}}]},
        {"findings": [{"code": "code", "message": "Said.", "facts": {"frames": [3]}}]},
        {"refused": "no-such-code", "facts": {}},
        {"refused": "image-too-small", "facts": {"width": [1]}},
        {"refused": "image-too-small", "facts": {}},
    ],
)
def test_a_malformed_image_is_rejected(changes):
    with pytest.raises((KeyError, TypeError, ValueError, InputError)):
        read_image(*message(**changes), LIMITS)


def test_a_long_text_is_cut():
    image = read_image(
        *message(findings=[{"code": "code", "message": "x" * 10_000, "facts": {}}]),
        LIMITS,
    )
    assert len(image.findings[0].message) == MAX_TEXT_LENGTH


FILE = dicom_file(np.full((64, 96), 90, np.uint8), PatientName="Doe")
FILE_OF_OTHER_SIZE = dicom_file(np.full((64, 95), 90, np.uint8))


CHECKED = CheckedImage(
    width=20, height=10, findings=IMAGE.findings, has_text_beside_tissue=True
)


def checked_message_with(**changes):
    return json.loads(json.dumps(checked_message(CHECKED) | changes))


def test_a_checked_image_survives_the_message():
    assert read_checked(checked_message_with(), bytearray(), LIMITS) == CHECKED


def test_the_refusal_of_a_checked_image_survives_the_message():
    refusal = ImageTooSmall(width=3, height=4, min_side_px=8)
    answer = read_checked(refusal_message(refusal), bytearray(), LIMITS)
    assert (type(answer), str(answer)) == (ImageTooSmall, str(refusal))


@pytest.mark.parametrize(
    "changes",
    [
        {"size": [1000, 1000]},
        {"size": [10]},
        {"findings": [{"code": 3, "message": "", "facts": {}}]},
        {"refused": "no-such-code", "facts": {}},
    ],
)
def test_a_malformed_check_is_rejected(changes):
    with pytest.raises((InputError, KeyError, TypeError, ValueError)):
        read_checked(checked_message_with(**changes), bytearray(), LIMITS)


def test_the_findings_of_a_cleaned_file_survive_the_message():
    finding = Finding("header-contradicts-pixels", "It does.", {"what": "planes"})
    head, data = cleaned_message(CleanedFile(FILE, findings=(finding,)))
    head = json.loads(json.dumps(head))
    cleaned = read_cleaned(head, bytearray(data), original=FILE, limits=Limits())
    assert cleaned.findings == (finding,)


def test_only_a_raster_file_may_become_a_png():
    picture = encode(np.full((64, 96), 90, np.uint8))
    bitmap = cv2.imencode(".bmp", np.full((64, 96), 90, np.uint8))[1].tobytes()
    head, data = cleaned_message(CleanedFile(picture))

    def read(original, may_be_png):
        return read_cleaned(
            head, bytearray(data), original, Limits(), may_be_png=may_be_png
        )

    assert read(bitmap, may_be_png=True).data == picture
    with pytest.raises(ValueError, match="differs"):
        read(bitmap, may_be_png=False)
    with pytest.raises(ValueError, match="differs"):
        read(FILE, may_be_png=True)


def cleaned_message_with(**changes):
    head, data = cleaned_message(clean(FILE, b"key"))
    return json.loads(json.dumps(head | changes)), bytearray(data)


def test_a_cleaned_file_survives_the_message():
    cleaned = read_cleaned(*cleaned_message_with(), original=FILE, limits=Limits())
    assert cleaned.data == clean(FILE, b"key").data
    assert cleaned.removed == clean(FILE, b"key").removed


def test_the_refusal_of_a_file_survives_the_message():
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
def test_malformed_counts_are_rejected(changes):
    with pytest.raises((AttributeError, KeyError, ValueError)):
        read_cleaned(*cleaned_message_with(**changes), original=FILE, limits=Limits())


@pytest.mark.parametrize("data", [b"", b"no image", FILE[:300], FILE_OF_OTHER_SIZE])
def test_a_file_that_differs_from_its_original_is_rejected(data):
    head, _ = cleaned_message_with()
    with pytest.raises((InputError, ValueError)):
        read_cleaned(head, bytearray(data), original=FILE, limits=Limits())


MASK = encode(np.full((64, 96), 255, np.uint8))


def test_a_cleaned_mask_survives_the_message():
    finding = Finding("several-components", "It has.", {"others": 1})
    head, data = cleaned_message(CleanedFile(MASK, findings=(finding,)))
    head = json.loads(json.dumps(head))
    cleaned = read_cleaned_mask(head, bytearray(data), 96, 64, Limits())
    assert (cleaned.data, cleaned.findings) == (MASK, (finding,))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FILE,
        MASK + b"Doe",
        cv2.imencode(".bmp", np.zeros((64, 96), np.uint8))[1].tobytes(),
        encode(np.zeros((96, 64), np.uint8)),
    ],
    ids=["empty", "dicom", "trailing", "bmp", "turned"],
)
def test_a_cleaned_mask_that_is_more_than_a_mask_is_rejected(data):
    head, _ = cleaned_message(CleanedFile(MASK))
    with pytest.raises((InputError, ValueError)):
        read_cleaned_mask(head, bytearray(data), 96, 64, Limits())
