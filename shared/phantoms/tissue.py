"""Draws the neck around the nodule, as backscatter in dB relative to normal thyroid parenchyma."""

import numpy as np

from shared.phantoms.grid import Field, Grid, gaussian_bump, smooth_step

MUSCLE_DB = -9.0
FAT_DB = -5.0
CAPSULE_DB = 9.0
FASCIA_DB = 10.0
AIR_DB = -16.0
CAROTID_DB = -24.0
CAROTID_PROBABILITY = 0.25
TRACHEA_PROBABILITY = 0.15


def draw_neck(grid: Grid, rng: np.random.Generator) -> Field:
    """Draw the neck as backscatter (S, S) in dB.

    The layers from the skin down are: fat, fascia, strap muscle, capsule, parenchyma, and the
    tissue behind it.
    """
    front_capsule = grid.wavy_line(rng, depth=rng.uniform(0.05, 0.18), amplitude=0.012)
    back_capsule = grid.wavy_line(rng, depth=rng.uniform(0.84, 1.02), amplitude=0.02)
    thickness = rng.uniform(0.006, 0.014)
    fine_noise = grid.smooth_noise(rng, columns=9, rows=9)
    coarse_noise = grid.smooth_noise(rng, columns=4, rows=4)
    tissue = np.float32(1.6) * (fine_noise + coarse_noise)
    tissue = _with_front_layers(grid, rng, tissue=tissue, capsule=front_capsule)
    back_share = smooth_step(grid.y - back_capsule, 0.01)
    muscle = MUSCLE_DB + 2 * grid.smooth_noise(rng, columns=6, rows=30)
    tissue = tissue * (1 - back_share) + back_share * muscle
    front_db = CAPSULE_DB * rng.uniform(0.4, 1.0)
    tissue += front_db * gaussian_bump(grid.y - front_capsule, thickness)
    back_db = CAPSULE_DB * rng.uniform(0.3, 1.0)
    tissue += back_db * gaussian_bump(grid.y - back_capsule, 1.5 * thickness)
    return _with_neighbour(grid, rng, tissue)


def _with_front_layers(
    grid: Grid, rng: np.random.Generator, tissue: Field, capsule: Field
) -> Field:
    """Adds fat and strap muscle in front of the gland, striped along the skin."""
    in_front = smooth_step(capsule - grid.y, 0.008)
    muscle = MUSCLE_DB + 4 * grid.smooth_noise(rng, columns=4, rows=40)
    fat = FAT_DB + 3 * grid.smooth_noise(rng, columns=8, rows=24)
    fascia = capsule * rng.uniform(0.35, 0.6)
    shallow = smooth_step(fascia - grid.y, 0.006)
    layers = (
        fat * shallow
        + muscle * (1 - shallow)
        + FASCIA_DB * gaussian_bump(grid.y - fascia, 0.007)
    )
    backscatter: Field = tissue * (1 - in_front) + layers * in_front
    return backscatter


def _with_neighbour(grid: Grid, rng: np.random.Generator, tissue: Field) -> Field:
    """Sometimes adds the carotid artery, or the air in the trachea, at one edge."""
    kind = rng.random()
    edge = float(rng.integers(2))
    depth = rng.uniform(0.4, 0.8)
    reach = rng.uniform(0.05, 0.10)
    if kind < CAROTID_PROBABILITY:
        distance = np.hypot(grid.x - edge, (grid.y - depth) * np.float32(0.9))
        depth_inside = reach - distance
        wall = 8 * gaussian_bump(depth_inside, 0.008)
        inside = smooth_step(depth_inside, 0.006)
        return tissue * (1 - inside) + CAROTID_DB * inside + wall
    if kind < CAROTID_PROBABILITY + TRACHEA_PROBABILITY:
        depth_inside = reach - np.abs(grid.x - edge) + np.float32(0.05) * (grid.y - 1)
        inside = smooth_step(depth_inside, 0.012)
        return tissue + inside * AIR_DB
    return tissue
