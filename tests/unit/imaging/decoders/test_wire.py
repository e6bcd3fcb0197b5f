"""What a decoder says is believed only as far as a sound one could have said it."""

import json

import numpy as np
import pytest

from shared.domain.results.findings import Finding
from shared.errors import InputError
from shared.imaging import Box, ImageFormat, ImageTooSmall, Limits, UltrasoundImage
from shared.imaging.decoders.wire import (
    MOST_LETTERS,
    image_told,
    refusal_told,
    understood,
)

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


def told(**changes):
    head, pixels = image_told(IMAGE)
    return json.loads(json.dumps(head | changes)), bytearray(pixels)


def test_an_image_is_understood_as_it_was_told():
    image = understood(*told(), LIMITS)
    assert (image.pixels == IMAGE.pixels).all()
    for name in ("format", "spacing_mm", "region", "findings"):
        assert getattr(image, name) == getattr(IMAGE, name)


def test_a_part_of_an_array_is_told_as_it_looks():
    part = UltrasoundImage(IMAGE.pixels[:8, ::2], ImageFormat.PNG)
    head, pixels = image_told(part)
    assert (understood(head, bytearray(pixels), LIMITS).pixels == part.pixels).all()


def test_a_refusal_is_understood_as_it_was_told():
    refusal = ImageTooSmall(width=3, height=4, min_side_px=8)
    understanding = understood(refusal_told(refusal), bytearray(), LIMITS)
    assert (type(understanding), str(understanding)) == (ImageTooSmall, str(refusal))


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
        understood(*told(**changes), LIMITS)


def test_a_sentence_of_any_length_is_cut():
    image = understood(
        *told(findings=[{"code": "code", "message": "x" * 10_000, "facts": {}}]), LIMITS
    )
    assert len(image.findings[0].message) == MOST_LETTERS
