"""Draws the nodule: its outline and its interior."""

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
from shared.phantoms.grid import Field, Grid, gaussian_bump, smooth_step

LEVEL_DB = {
    Echogenicity.HYPERECHOIC: 4.5,
    Echogenicity.ISOECHOIC: 0.0,
    Echogenicity.HYPOECHOIC: -6.0,
    Echogenicity.VERY_HYPOECHOIC: -11.0,
    Echogenicity.ANECHOIC: -30.0,
}
"""Backscatter relative to the gland around the nodule.

Very hypoechoic is darker than strap muscle, as the lexicon defines it.
"""
LEVEL_DEVIATION_DB = 1.4
FLUID_DB = -30.0
WAVE_AMPLITUDES = {
    Margin.SMOOTH: (0.02, 0.0),
    Margin.ILL_DEFINED: (0.04, 0.0),
    Margin.LOBULATED: (0.09, 0.015),
    Margin.IRREGULAR: (0.07, 0.055),
}
"""Relative amplitude of the outline's waves: of 2 to 6 waves a turn, and of 7 to 16."""
EDGE_WIDTH = {
    Margin.SMOOTH: 0.03,
    Margin.ILL_DEFINED: 0.22,
    Margin.LOBULATED: 0.04,
    Margin.IRREGULAR: 0.05,
}
"""Width of the transition, as a fraction of the radius."""
HALO_DB = -9.0
HALO_PROBABILITY = {
    Echogenicity.HYPERECHOIC: 0.6,
    Echogenicity.ISOECHOIC: 0.75,
    Echogenicity.HYPOECHOIC: 0.15,
}
"""How often a dark rim separates the nodule from a gland of similar brightness."""
TURN_SAMPLES = 720


@dataclass(frozen=True, eq=False)
class Outline:
    """Position and shape of the nodule. `rho` (S, S) is 0 at its centre and 1 on its outline."""

    centre: tuple[float, float]
    """x and y, 0..1."""
    semi_axes: tuple[float, float]
    """Half of the width and half of the depth, 0..1."""
    rho: Field

    @property
    def mask(self) -> NDArray[np.bool_]:
        return self.rho <= 1


def draw_outline(
    grid: Grid, rng: np.random.Generator, descriptors: Descriptors
) -> Outline:
    """Draw the outline of a nodule that fills a large part of the image, as in a crop around it."""
    longer = rng.uniform(0.20, 0.36)
    shorter = longer * rng.uniform(0.58, 0.92)
    is_taller = descriptors.orientation is Orientation.TALLER
    semi_axes = (shorter, longer) if is_taller else (longer, shorter)
    centre = 0.5 + rng.uniform(-0.06, 0.06), 0.54 + rng.uniform(-0.05, 0.05)
    x = (grid.x - np.float32(centre[0])) / np.float32(semi_axes[0])
    y = (grid.y - np.float32(centre[1])) / np.float32(semi_axes[1])
    square = (grid.size_px, grid.size_px)
    angle = np.arctan2(np.broadcast_to(y, square), x)
    radius = _radius(angle, rng, descriptors.margin)
    return Outline(centre=centre, semi_axes=semi_axes, rho=np.hypot(x, y) / radius)


def _radius(angle: Field, rng: np.random.Generator, margin: Margin) -> Field:
    """Return the radius of the outline at each angle, looked up in a table of one turn."""
    turn = np.linspace(-np.pi, np.pi, TURN_SAMPLES, dtype=np.float32)
    slow_amplitude, fast_amplitude = WAVE_AMPLITUDES[margin]
    slow_waves = slow_amplitude * _waves(turn, rng, range(2, 7))
    fast_waves = fast_amplitude * _waves(turn, rng, range(7, 17))
    radius = 1 + slow_waves + fast_waves
    table = np.maximum(radius, np.float32(0.5)).astype(np.float32)
    position = (angle + np.float32(np.pi)) * np.float32(719 / (2 * np.pi))
    index = np.clip(position.astype(np.int32), 0, TURN_SAMPLES - 1)
    return table[index]


def _waves(turn: Field, rng: np.random.Generator, frequencies: range) -> Field:
    """Sum of waves of random amplitude and phase, of about unit variance."""
    amplitudes = rng.standard_normal(len(frequencies))
    phases = rng.uniform(0, 2 * np.pi, len(frequencies))
    waves = np.cos(np.array(frequencies)[:, None] * turn + phases[:, None])
    scale = np.sqrt(2 / len(frequencies))
    total: Field = (amplitudes @ waves * scale).astype(np.float32)
    return total


def draw_nodule(
    grid: Grid,
    rng: np.random.Generator,
    tissue: Field,
    descriptors: Descriptors,
    outline: Outline,
) -> tuple[Field, Field]:
    """Draw the nodule into the tissue.

    Parameters
    ----------
    tissue : (S, S) backscatter in dB

    Returns
    -------
    scene : (S, S) backscatter in dB
    fluid : (S, S) share of fluid, 0..1
    """
    edge_width = EDGE_WIDTH[descriptors.margin] * rng.uniform(0.8, 1.3)
    inside = smooth_step(1 - outline.rho, edge_width)
    level_db = LEVEL_DB[descriptors.echogenicity] + rng.normal(0, LEVEL_DEVIATION_DB)
    solid = level_db + 2.2 * grid.smooth_noise(rng, columns=9, rows=9)
    fluid = _fluid_share(grid, rng, descriptors.composition, outline)
    interior = solid * (1 - fluid) + FLUID_DB * fluid
    scene = tissue * (1 - inside) + interior * inside
    halo_probability = HALO_PROBABILITY.get(descriptors.echogenicity, 0.0)
    draws_halo = rng.random() < halo_probability
    if draws_halo and descriptors.margin is not Margin.ILL_DEFINED:
        halo_db = HALO_DB * rng.uniform(0.5, 1)
        scene += halo_db * gaussian_bump(outline.rho - np.float32(1.02), 0.045)
    nodule_fluid = (fluid * inside).astype(np.float32, copy=False)
    return scene.astype(np.float32, copy=False), nodule_fluid


def _fluid_share(
    grid: Grid, rng: np.random.Generator, composition: Composition, outline: Outline
) -> Field:
    """Return the share of fluid, 0..1: none, some chambers, all, or many small chambers."""
    if composition is Composition.CYSTIC:
        return np.ones_like(outline.rho)
    if composition is Composition.MIXED:
        chambers = grid.smooth_noise(rng, columns=5, rows=5)
        level = np.quantile(chambers[outline.mask], rng.uniform(0.4, 0.75))
        is_chamber = smooth_step(chambers - np.float32(level), 0.10)
        return is_chamber * smooth_step(0.9 - outline.rho, 0.05)
    if composition is Composition.SPONGIFORM:
        chambers = grid.smooth_noise(rng, columns=34, rows=34)
        return smooth_step(chambers - np.float32(0.35), 0.2) * np.float32(0.85)
    return np.zeros_like(outline.rho)
