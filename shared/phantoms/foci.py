"""Echogenic foci: bright spots in the nodule, with the shadow or the tail that they throw."""

from collections.abc import Callable, Iterable

import numpy as np

from shared.guidelines.lexicon import Focus
from shared.phantoms.grid import Field, Grid, bump, step
from shared.phantoms.nodule import Outline

Point = tuple[float, float]


def add_foci(
    grid: Grid,
    rng: np.random.Generator,
    scene: Field,
    kinds: Iterable[Focus],
    at: Outline,
) -> Field:
    """Backscatter (S, S) in dB with the foci in it."""
    for kind in sorted(kinds):
        scene = DRAWN[kind](grid, rng, scene, at)
    return scene


def _punctate(grid: Grid, rng: np.random.Generator, scene: Field, at: Outline) -> Field:
    """Specks below a millimetre, without a shadow."""
    for x, y in _places(rng, at, int(rng.integers(5, 14))):
        scene = np.maximum(scene, _spot(grid, x, y, 0.006, rng.uniform(13, 19)))
    return scene


def _macro(grid: Grid, rng: np.random.Generator, scene: Field, at: Outline) -> Field:
    """One or two coarse pieces with a shadow."""
    for x, y in _places(rng, at, int(rng.integers(1, 3))):
        half = rng.uniform(0.025, 0.06)
        arc = np.float32(y) + np.float32(2.0) * (grid.x - np.float32(x)) ** 2
        piece = bump(grid.y - arc, 0.009) * step(
            half - np.abs(grid.x - np.float32(x)), 0.008
        )
        scene = _shadowed(grid, scene, x, y, half, rng.uniform(10, 18))
        scene = np.maximum(scene, 22 * piece - 40 * (1 - piece))
    return scene


def _rim(grid: Grid, rng: np.random.Generator, scene: Field, at: Outline) -> Field:
    """A bright shell on the near side, with a weak shadow."""
    x, y = at.centre
    near = step(np.float32(y) - grid.y + np.float32(0.1), 0.05)
    shell = bump(at.rho - 1, 0.035) * near
    scene = _shadowed(grid, scene, x, y, at.semi_axes[0] * 0.8, rng.uniform(4, 9))
    return np.maximum(scene, 18 * shell - 40 * (1 - shell))


def _comet_tail(
    grid: Grid, rng: np.random.Generator, scene: Field, at: Outline
) -> Field:
    """Spots of colloid with a tapering echo below each."""
    for x, y in _places(rng, at, int(rng.integers(1, 4))):
        below = np.maximum(grid.y - np.float32(y), 0)
        length = rng.uniform(0.03, 0.06)
        tail = (
            bump(grid.x - np.float32(x), 0.007)
            * np.exp(-below / np.float32(length))
            * (grid.y >= y)
        )
        rings = np.float32(0.75) + np.float32(0.25) * np.cos(
            below * np.float32(2 * np.pi / 0.016)
        )
        scene = np.maximum(scene, 46 * tail * rings - 30)
    return scene


def _places(rng: np.random.Generator, at: Outline, count: int) -> list[Point]:
    """Points well inside the outline."""
    radius = 0.7 * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    (x, y), (across, deep) = at.centre, at.semi_axes
    return list(
        zip(
            x + across * radius * np.cos(angle),
            y + deep * radius * np.sin(angle),
            strict=True,
        )
    )


def _spot(grid: Grid, x: float, y: float, size: float, level_db: float) -> Field:
    shape = bump(grid.x - np.float32(x), size) * bump(grid.y - np.float32(y), size)
    return level_db * shape - 40 * (1 - shape)


def _shadowed(
    grid: Grid, scene: Field, x: float, y: float, half: float, depth_db: float
) -> Field:
    across = step(half - np.abs(grid.x - np.float32(x)), 0.012)
    return scene - depth_db * across * step(grid.y - np.float32(y + 0.015), 0.01)


DRAWN: dict[Focus, Callable[[Grid, np.random.Generator, Field, Outline], Field]] = {
    Focus.PUNCTATE: _punctate,
    Focus.MACROCALCIFICATION: _macro,
    Focus.RIM: _rim,
    Focus.COMET_TAIL: _comet_tail,
}
