"""The nodule: its outline and what it is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.guidelines.lexicon import (
    Composition,
    Descriptors,
    Echogenicity,
    Margin,
    Orientation,
)
from shared.phantoms.grid import Field, Grid, bump, step

LEVEL_DB = {
    Echogenicity.HYPERECHOIC: 4.5,
    Echogenicity.ISOECHOIC: 0.0,
    Echogenicity.HYPOECHOIC: -6.0,
    Echogenicity.VERY_HYPOECHOIC: -11.0,
    Echogenicity.ANECHOIC: -30.0,
}
"""Backscatter against the gland around it; very hypoechoic is darker than strap muscle, as the lexicon defines it."""
LEVEL_SPREAD_DB = 1.4
FLUID_DB = -30.0
WAVES = {Margin.SMOOTH: (0.02, 0.0), Margin.ILL_DEFINED: (0.04, 0.0)} | {
    Margin.LOBULATED: (0.09, 0.015),
    Margin.IRREGULAR: (0.07, 0.055),
}
"""Relative swing of the outline at 2 to 6 waves a turn, and at 7 to 16."""
EDGE = {
    Margin.SMOOTH: 0.03,
    Margin.ILL_DEFINED: 0.22,
    Margin.LOBULATED: 0.04,
    Margin.IRREGULAR: 0.05,
}
"""Width of the transition, as a fraction of the radius."""
HALO_DB = -9.0
HALO_SHARE = {
    Echogenicity.HYPERECHOIC: 0.6,
    Echogenicity.ISOECHOIC: 0.75,
    Echogenicity.HYPOECHOIC: 0.15,
}
"""How often a dark rim parts the nodule from a gland of much the same brightness."""


@dataclass(frozen=True, eq=False)
class Outline:
    """Where the nodule lies. `rho` (S, S) is 0 at its centre and 1 on its outline."""

    centre: tuple[float, float]
    """x and y, 0..1."""
    semi_axes: tuple[float, float]
    """Across and deep, 0..1."""
    rho: Field

    @property
    def mask(self) -> NDArray[np.bool_]:
        return self.rho <= 1


def outline(grid: Grid, rng: np.random.Generator, words: Descriptors) -> Outline:
    """Place and shape of a nodule that fills a good part of the image, as in a crop around it."""
    long = rng.uniform(0.20, 0.36)
    short = long * rng.uniform(0.58, 0.92)
    across, deep = (
        (short, long) if words.orientation is Orientation.TALLER else (long, short)
    )
    centre = 0.5 + rng.uniform(-0.06, 0.06), 0.54 + rng.uniform(-0.05, 0.05)
    x = (grid.x - np.float32(centre[0])) / np.float32(across)
    y = (grid.y - np.float32(centre[1])) / np.float32(deep)
    angle = np.arctan2(np.broadcast_to(y, (grid.size_px,) * 2), x)
    return Outline(
        centre, (across, deep), np.hypot(x, y) / _radius(angle, rng, words.margin)
    )


def _radius(angle: Field, rng: np.random.Generator, margin: Margin) -> Field:
    """Radius over the angle, from a table of one turn."""
    turn = np.linspace(-np.pi, np.pi, 720, dtype=np.float32)
    slow, fast = WAVES[margin]
    radius = (
        1
        + slow * _waves(turn, rng, range(2, 7))
        + fast * _waves(turn, rng, range(7, 17))
    )
    index = ((angle + np.float32(np.pi)) * np.float32(719 / (2 * np.pi))).astype(
        np.int32
    )
    return np.maximum(radius, np.float32(0.5)).astype(np.float32)[
        np.clip(index, 0, 719)
    ]


def _waves(turn: Field, rng: np.random.Generator, counts: range) -> Field:
    """Sum of waves of random height and phase, of about unit variance."""
    heights = rng.standard_normal(len(counts))
    phases = rng.uniform(0, 2 * np.pi, len(counts))
    waves = np.cos(np.array(counts)[:, None] * turn + phases[:, None])
    total: Field = (heights @ waves * np.sqrt(2 / len(counts))).astype(np.float32)
    return total


def fill(
    grid: Grid, rng: np.random.Generator, tissue: Field, words: Descriptors, at: Outline
) -> tuple[Field, Field]:
    """Put the nodule into the tissue; returns backscatter in dB, and where there is fluid (0..1), both (S, S)."""
    edge = EDGE[words.margin] * rng.uniform(0.8, 1.3)
    inside = step(1 - at.rho, edge)
    solid = (
        LEVEL_DB[words.echogenicity]
        + rng.normal(0, LEVEL_SPREAD_DB)
        + 2.2 * grid.smooth_noise(rng, 9, 9)
    )
    fluid = _fluid(grid, rng, words.composition, at)
    interior = solid * (1 - fluid) + FLUID_DB * fluid
    scene = tissue * (1 - inside) + interior * inside
    if (
        rng.random() < HALO_SHARE.get(words.echogenicity, 0.0)
        and words.margin is not Margin.ILL_DEFINED
    ):
        scene += HALO_DB * rng.uniform(0.5, 1) * bump(at.rho - np.float32(1.02), 0.045)
    return scene.astype(np.float32, copy=False), (fluid * inside).astype(
        np.float32, copy=False
    )


def _fluid(
    grid: Grid, rng: np.random.Generator, composition: Composition, at: Outline
) -> Field:
    """Share of fluid, 0..1: none, some chambers, all, or many small ones."""
    if composition is Composition.CYSTIC:
        return np.ones_like(at.rho)
    if composition is Composition.MIXED:
        chambers = grid.smooth_noise(rng, 5, 5)
        level = np.quantile(chambers[at.mask], rng.uniform(0.4, 0.75))
        return step(chambers - np.float32(level), 0.10) * step(0.9 - at.rho, 0.05)
    if composition is Composition.SPONGIFORM:
        cells = grid.smooth_noise(rng, 34, 34)
        return step(cells - np.float32(0.35), 0.2) * np.float32(0.85)
    return np.zeros_like(at.rho)
