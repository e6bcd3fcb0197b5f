"""A synthetic ultrasound image of a thyroid nodule, with all that is known about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.guidelines.lexicon import Descriptors
from shared.phantoms.calipers import burn_in
from shared.phantoms.classes import sample
from shared.phantoms.foci import add_foci
from shared.phantoms.grid import Grid
from shared.phantoms.nodule import fill, outline
from shared.phantoms.scanner import Scanner
from shared.phantoms.tissue import neck

SMALLEST_MM = 5.0
LARGEST_MM = 40.0
TYPICAL_MM = 15.0
SPREAD = 0.5
"""Median of the size and standard deviation of its logarithm; the same for both classes, so that size tells nothing."""


@dataclass(frozen=True, eq=False)
class Phantom:
    """A drawn nodule; synthetic, and to be marked so wherever it is shown."""

    pixels: NDArray[np.uint8]
    """(S, S) grey."""
    mask: NDArray[np.bool_]
    """(S, S), the nodule."""
    malignant: bool
    size_mm: float
    """Longest extent across or in depth."""
    descriptors: Descriptors
    spacing_mm: float
    """Millimetres per pixel, the same both ways."""


def draw(
    seed: int, malignant: bool | None = None, size_px: int = 256, caliper: bool = False
) -> Phantom:
    """Draw the phantom of a seed.

    Parameters
    ----------
    seed : the same seed and settings give the same pixels
    malignant : its class; without one, either is as likely
    size_px : side of the image
    caliper : burn in the marks that a reader leaves; nothing else changes with them
    """
    rng, marks = np.random.default_rng(seed).spawn(2)
    coin = bool(rng.random() < 0.5)
    malignant = coin if malignant is None else bool(malignant)
    words = sample(rng, malignant)
    size_mm = _size_mm(rng)
    grid = Grid(size_px)
    at = outline(grid, rng, words)
    scene, fluid = fill(grid, rng, neck(grid, rng), words, at)
    scene = add_foci(grid, rng, scene, words.foci, at)
    pixels = Scanner.drawn(rng).image(grid, rng, scene, fluid)
    pixels = burn_in(pixels, at, marks) if caliper else pixels
    return Phantom(
        pixels, at.mask, malignant, size_mm, words, size_mm / _longest_px(at.mask)
    )


def _size_mm(rng: np.random.Generator) -> float:
    size = TYPICAL_MM * np.exp(SPREAD * rng.standard_normal())
    return round(float(np.clip(size, SMALLEST_MM, LARGEST_MM)), 1)


def _longest_px(mask: NDArray[np.bool_]) -> int:
    """Extent of the mask in pixels, across or in depth."""
    return int(max(np.ptp(np.flatnonzero(mask.any(axis))) for axis in (0, 1))) + 1
