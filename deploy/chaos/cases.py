"""What the hospitals of a trial will send, and what they noted of it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms import draw

HOSPITALS = ("chaos-north", "chaos-south", "chaos-west")
IMAGES = 24
IMAGE_PX, POISON_PX = 128, 4000
LEAST_MM, STEP_MM = 5.0, 0.05
SPOILT_EVERY, TWICE_EVERY, URGENT_EVERY = 25, 10, 7


class Kind(StrEnum):
    GOOD = "good"
    SPOILT = "spoilt"
    """A JPEG that breaks off: it is refused at once, or fails with a reason."""
    POISON = "poison"
    """Whatever reads it is killed, every time: it fails, and takes no other case with it."""


@dataclass(frozen=True)
class Planned:
    """A case to be sent; no other has its size, so a result that belongs to another case is known by it."""

    number: int
    hospital: str
    kind: Kind
    size_mm: float
    image: bytes = field(repr=False)
    urgent: bool = False
    twice: bool = False

    @property
    def filename(self) -> str:
        return "nodule.jpg" if self.kind is Kind.SPOILT else "nodule.png"


@dataclass
class Promise:
    """A hospital's own notes of one case: every answer to it, whether the ledger knows of it or not."""

    planned: Planned
    receipts: list[dict[str, Any]] = field(default_factory=list)
    refused: str | None = None
    """The code of a refusal that is final."""
    silent: bool = False
    """It was never answered, although it was sent again and again."""
    job: dict[str, Any] | None = None
    """The job as it was last seen; None where it is not there."""
    killed: int = 0
    """How often a worker was killed over it."""

    @property
    def jobs(self) -> set[str]:
        return {receipt["job_id"] for receipt in self.receipts}


def plan(count: int, seed: int) -> list[Planned]:
    """`count` cases of all hospitals in an order of their own; poison is planned apart, by `poison`."""
    order, images = random.Random(seed), _images()
    hospitals = [HOSPITALS[number % len(HOSPITALS)] for number in range(count)]
    order.shuffle(hospitals)
    return [_planned(number, hospital, images) for number, hospital in enumerate(hospitals)]


def poison(number: int) -> Planned:
    """A case like all others, but so large that whoever reads it is busy with it for a while."""
    pixels = cv2.resize(draw(number, size_px=IMAGE_PX).pixels, (POISON_PX, POISON_PX))
    return Planned(number, HOSPITALS[number % len(HOSPITALS)], Kind.POISON, _size(number), _png(pixels), urgent=True)


def _planned(number: int, hospital: str, images: Sequence[bytes]) -> Planned:
    image, spoilt = images[number % IMAGES], number % SPOILT_EVERY == SPOILT_EVERY - 1
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
