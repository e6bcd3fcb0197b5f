"""What the hospitals of a trial will send."""

import random
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms import draw
from trials.slo import Kind, Planned

HOSPITALS = ("chaos-north", "chaos-south", "chaos-west")
IMAGES = 24
IMAGE_PX = 128
POISON_PX = 4000
LEAST_MM = 5.0
STEP_MM = 0.05
SPOILT_EVERY = 25
TWICE_EVERY = 10
URGENT_EVERY = 7


def plan(count: int, seed: int) -> list[Planned]:
    """`count` cases of all hospitals in an order of their own; poison is planned apart, by
    `poison`.
    """
    order = random.Random(seed)
    images = _images()
    hospitals = [HOSPITALS[number % len(HOSPITALS)] for number in range(count)]
    order.shuffle(hospitals)
    return [
        _planned(number, hospital, images) for number, hospital in enumerate(hospitals)
    ]


def poison(number: int) -> Planned:
    """A case like all others, but so large that whoever reads it is busy with it for a while."""
    drawn = draw(number, size_px=IMAGE_PX).pixels
    pixels = np.asarray(cv2.resize(drawn, (POISON_PX, POISON_PX)), np.uint8)
    return Planned(
        number,
        HOSPITALS[number % len(HOSPITALS)],
        Kind.POISON,
        _size(number),
        _png(pixels),
        urgent=True,
    )


def _planned(number: int, hospital: str, images: Sequence[bytes]) -> Planned:
    image = images[number % IMAGES]
    spoilt = number % SPOILT_EVERY == SPOILT_EVERY - 1
    return Planned(
        number,
        hospital,
        Kind.SPOILT if spoilt else Kind.GOOD,
        _size(number),
        _spoilt(number) if spoilt else image,
        urgent=number % URGENT_EVERY == 0,
        twice=number % TWICE_EVERY == 0,
    )


def _size(number: int) -> float:
    return round(LEAST_MM + STEP_MM * number, 2)


def _images() -> list[bytes]:
    return [_png(draw(seed, size_px=IMAGE_PX).pixels) for seed in range(IMAGES)]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _spoilt(number: int) -> bytes:
    whole = cv2.imencode(".jpg", draw(number, size_px=IMAGE_PX).pixels)[1].tobytes()
    return whole[: len(whole) // 2]
