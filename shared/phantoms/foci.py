"""Draws echogenic foci: bright spots in the nodule, with their shadow or comet tail."""

from collections.abc import Callable, Iterable

import numpy as np

from shared.guidelines.lexicon import Focus
from shared.phantoms.grid import Field, Grid, gaussian_bump, smooth_step
from shared.phantoms.nodule import Outline

Point = tuple[float, float]
DrawFoci = Callable[[Grid, np.random.Generator, Field, Outline], Field]
BACKGROUND_DB = 40
"""Level below 0 dB outside a spot in the spot's own image.

It is so low that the scene is brighter there.
"""


def add_foci(
    grid: Grid,
    rng: np.random.Generator,
    scene: Field,
    kinds: Iterable[Focus],
    outline: Outline,
) -> Field:
    """Return the backscatter (S, S) in dB with the foci in it."""
    for kind in sorted(kinds):
        draw_foci = DRAWING_FUNCTIONS[kind]
        scene = draw_foci(grid, rng, scene, outline)
    return scene


def _draw_punctate(
    grid: Grid, rng: np.random.Generator, scene: Field, outline: Outline
) -> Field:
    """Draw specks below a millimetre, without a shadow."""
    count = int(rng.integers(5, 14))
    for centre in _points_inside(rng, outline, count):
        spot = _spot(grid, centre, size=0.006, level_db=rng.uniform(13, 19))
        scene = np.maximum(scene, spot)
    return scene


def _draw_macrocalcifications(
    grid: Grid, rng: np.random.Generator, scene: Field, outline: Outline
) -> Field:
    """Draw one or two coarse pieces with a shadow."""
    count = int(rng.integers(1, 3))
    for x, y in _points_inside(rng, outline, count):
        half_width = rng.uniform(0.025, 0.06)
        arc = np.float32(y) + np.float32(2.0) * (grid.x - np.float32(x)) ** 2
        distance_x = half_width - np.abs(grid.x - np.float32(x))
        piece = gaussian_bump(grid.y - arc, 0.009) * smooth_step(distance_x, 0.008)
        scene = _with_shadow(
            grid,
            scene,
            centre=(x, y),
            half_width=half_width,
            depth_db=rng.uniform(10, 18),
        )
        scene = np.maximum(scene, 22 * piece - BACKGROUND_DB * (1 - piece))
    return scene


def _draw_rim(
    grid: Grid, rng: np.random.Generator, scene: Field, outline: Outline
) -> Field:
    """Draw a bright shell on the near side, with a weak shadow."""
    _, y = outline.centre
    near_side = smooth_step(np.float32(y) - grid.y + np.float32(0.1), 0.05)
    shell = gaussian_bump(outline.rho - 1, 0.035) * near_side
    scene = _with_shadow(
        grid,
        scene,
        centre=outline.centre,
        half_width=outline.semi_axes[0] * 0.8,
        depth_db=rng.uniform(4, 9),
    )
    return np.maximum(scene, 18 * shell - BACKGROUND_DB * (1 - shell))


def _draw_comet_tails(
    grid: Grid, rng: np.random.Generator, scene: Field, outline: Outline
) -> Field:
    """Draw spots of colloid, each with a tapering echo below it."""
    count = int(rng.integers(1, 4))
    for x, y in _points_inside(rng, outline, count):
        depth = np.maximum(grid.y - np.float32(y), 0)
        length = rng.uniform(0.03, 0.06)
        tail = (
            gaussian_bump(grid.x - np.float32(x), 0.007)
            * np.exp(-depth / np.float32(length))
            * (grid.y >= y)
        )
        phase = depth * np.float32(2 * np.pi / 0.016)
        rings = np.float32(0.75) + np.float32(0.25) * np.cos(phase)
        scene = np.maximum(scene, 46 * tail * rings - 30)
    return scene


def _points_inside(
    rng: np.random.Generator, outline: Outline, count: int
) -> list[Point]:
    """Return random points well inside the outline."""
    radius = 0.7 * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    centre_x, centre_y = outline.centre
    semi_width, semi_depth = outline.semi_axes
    x = centre_x + semi_width * radius * np.cos(angle)
    y = centre_y + semi_depth * radius * np.sin(angle)
    return list(zip(x, y, strict=True))


def _spot(grid: Grid, centre: Point, size: float, level_db: float) -> Field:
    x, y = centre
    profile_x = gaussian_bump(grid.x - np.float32(x), size)
    profile_y = gaussian_bump(grid.y - np.float32(y), size)
    shape = profile_x * profile_y
    return level_db * shape - BACKGROUND_DB * (1 - shape)


def _with_shadow(
    grid: Grid, scene: Field, centre: Point, half_width: float, depth_db: float
) -> Field:
    x, y = centre
    width_profile = smooth_step(half_width - np.abs(grid.x - np.float32(x)), 0.012)
    depth_profile = smooth_step(grid.y - np.float32(y + 0.015), 0.01)
    return scene - depth_db * width_profile * depth_profile


DRAWING_FUNCTIONS: dict[Focus, DrawFoci] = {
    Focus.PUNCTATE: _draw_punctate,
    Focus.MACROCALCIFICATION: _draw_macrocalcifications,
    Focus.RIM: _draw_rim,
    Focus.COMET_TAIL: _draw_comet_tails,
}
