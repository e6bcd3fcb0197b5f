"""Plans the cases that the hospitals of a trial send."""

import random
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms import draw
from trials.slo import Kind, PlannedCase

HOSPITALS = ("chaos-north", "chaos-south", "chaos-west")
IMAGES = 24
IMAGE_PX = 128
POISON_PX = 4000
MIN_SIZE_MM = 5.0
STEP_MM = 0.05
CORRUPT_EVERY = 25
TWICE_EVERY = 10
URGENT_EVERY = 7


def plan(count: int, seed: int) -> list[PlannedCase]:
    """Plan `count` cases of all hospitals in random order; `poison` plans poison cases."""
    order = random.Random(seed)
    images = _images()
    hospitals = [HOSPITALS[number % len(HOSPITALS)] for number in range(count)]
    order.shuffle(hospitals)
    return [
        _planned(number, hospital, images) for number, hospital in enumerate(hospitals)
    ]


def poison(number: int) -> PlannedCase:
    """A case with an image so large that reading it takes a while."""
    phantom = draw(number, size_px=IMAGE_PX).pixels
    pixels = np.asarray(cv2.resize(phantom, (POISON_PX, POISON_PX)), np.uint8)
    return PlannedCase(
        number=number,
        hospital=HOSPITALS[number % len(HOSPITALS)],
        kind=Kind.POISON,
        size_mm=_size_mm(number),
        image=_png(pixels),
        urgent=True,
    )


def _planned(number: int, hospital: str, images: Sequence[bytes]) -> PlannedCase:
    image = images[number % IMAGES]
    is_corrupt = number % CORRUPT_EVERY == CORRUPT_EVERY - 1
    return PlannedCase(
        number=number,
        hospital=hospital,
        kind=Kind.CORRUPT if is_corrupt else Kind.GOOD,
        size_mm=_size_mm(number),
        image=_corrupt_jpeg(number) if is_corrupt else image,
        urgent=number % URGENT_EVERY == 0,
        twice=number % TWICE_EVERY == 0,
    )


def _size_mm(number: int) -> float:
    return round(MIN_SIZE_MM + STEP_MM * number, 2)


def _images() -> list[bytes]:
    return [_png(draw(seed, size_px=IMAGE_PX).pixels) for seed in range(IMAGES)]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _corrupt_jpeg(number: int) -> bytes:
    jpeg = cv2.imencode(".jpg", draw(number, size_px=IMAGE_PX).pixels)[1].tobytes()
    return jpeg[: len(jpeg) // 2]
