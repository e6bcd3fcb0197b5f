"""A synthetic ultrasound image of a thyroid nodule, with its ground truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.guidelines.lexicon import Descriptors
from shared.phantoms.calipers import burn_in
from shared.phantoms.classes import sample_descriptors
from shared.phantoms.foci import add_foci
from shared.phantoms.grid import Grid
from shared.phantoms.nodule import draw_nodule, draw_outline
from shared.phantoms.scanner import Scanner
from shared.phantoms.tissue import draw_neck

MIN_SIZE_MM = 5.0
MAX_SIZE_MM = 40.0
MEDIAN_SIZE_MM = 15.0
LOG_SIZE_DEVIATION = 0.5
"""Standard deviation of the logarithm of the size.

The distribution is the same for both classes, so that the class cannot be derived from the size.
"""


@dataclass(frozen=True, eq=False)
class Phantom:
    """A drawn nodule. It is synthetic and must be marked as such wherever it is shown."""

    pixels: NDArray[np.uint8]
    """(S, S) grey."""
    mask: NDArray[np.bool_]
    """(S, S), the nodule."""
    malignant: bool
    size_mm: float
    """The larger of width and depth."""
    descriptors: Descriptors
    spacing_mm: float
    """Millimetres per pixel, the same for rows and columns."""


def draw(
    seed: int, malignant: bool | None = None, size_px: int = 256, caliper: bool = False
) -> Phantom:
    """Draw the phantom of a seed.

    Parameters
    ----------
    seed : the same seed and settings give the same pixels
    malignant : its class; by default both classes are equally likely
    size_px : side of the image
    caliper : whether to burn in the marks of a measurement; nothing else depends on it
    """
    rng, caliper_rng = np.random.default_rng(seed).spawn(2)
    random_class = bool(rng.random() < 0.5)
    malignant = random_class if malignant is None else bool(malignant)
    descriptors = sample_descriptors(rng, malignant)
    size_mm = _sample_size_mm(rng)
    grid = Grid(size_px)
    outline = draw_outline(grid, rng, descriptors)
    tissue = draw_neck(grid, rng)
    scene, fluid = draw_nodule(
        grid, rng, tissue=tissue, descriptors=descriptors, outline=outline
    )
    scene = add_foci(grid, rng, scene=scene, kinds=descriptors.foci, outline=outline)
    scanner = Scanner.random(rng)
    pixels = scanner.image(grid, rng, scene=scene, fluid=fluid)
    if caliper:
        pixels = burn_in(pixels, outline, caliper_rng)
    return Phantom(
        pixels=pixels,
        mask=outline.mask,
        malignant=malignant,
        size_mm=size_mm,
        descriptors=descriptors,
        spacing_mm=size_mm / _extent_px(outline.mask),
    )


def _sample_size_mm(rng: np.random.Generator) -> float:
    size_mm = MEDIAN_SIZE_MM * np.exp(LOG_SIZE_DEVIATION * rng.standard_normal())
    return round(float(np.clip(size_mm, MIN_SIZE_MM, MAX_SIZE_MM)), 1)


def _extent_px(mask: NDArray[np.bool_]) -> int:
    """Return the larger of the width and the depth of a mask, in pixels."""
    columns = np.flatnonzero(mask.any(0))
    rows = np.flatnonzero(mask.any(1))
    return int(max(np.ptp(columns), np.ptp(rows))) + 1
