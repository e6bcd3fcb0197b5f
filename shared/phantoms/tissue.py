"""The neck around the nodule, as backscatter in dB against normal thyroid parenchyma."""

import numpy as np

from shared.phantoms.grid import Field, Grid, bump, step

MUSCLE_DB = -9.0
FAT_DB = -5.0
CAPSULE_DB = 9.0
FASCIA_DB = 10.0
AIR_DB = -16.0
CAROTID_DB = -24.0


def neck(grid: Grid, rng: np.random.Generator) -> Field:
    """Backscatter (S, S) in dB: fat, fascia, strap muscle, capsule, parenchyma, and what lies deep of it."""
    capsule = grid.wavy_line(rng, rng.uniform(0.05, 0.18), 0.012)
    bottom = grid.wavy_line(rng, rng.uniform(0.84, 1.02), 0.02)
    thin = rng.uniform(0.006, 0.014)
    tissue = np.float32(1.6) * (
        grid.smooth_noise(rng, 9, 9) + grid.smooth_noise(rng, 4, 4)
    )
    tissue = _front(grid, rng, tissue, capsule)
    below = step(grid.y - bottom, 0.01)
    tissue = tissue * (1 - below) + below * (
        MUSCLE_DB + 2 * grid.smooth_noise(rng, 6, 30)
    )
    tissue += CAPSULE_DB * rng.uniform(0.4, 1.0) * bump(grid.y - capsule, thin)
    tissue += CAPSULE_DB * rng.uniform(0.3, 1.0) * bump(grid.y - bottom, 1.5 * thin)
    return _side(grid, rng, tissue)


def _front(
    grid: Grid, rng: np.random.Generator, tissue: Field, capsule: Field
) -> Field:
    """Fat and strap muscle in front of the gland, striped along the skin."""
    above = step(capsule - grid.y, 0.008)
    stripes = MUSCLE_DB + 4 * grid.smooth_noise(rng, 4, 40)
    fat = FAT_DB + 3 * grid.smooth_noise(rng, 8, 24)
    fascia = capsule * rng.uniform(0.35, 0.6)
    shallow = step(fascia - grid.y, 0.006)
    front = (
        fat * shallow
        + stripes * (1 - shallow)
        + FASCIA_DB * bump(grid.y - fascia, 0.007)
    )
    backscatter: Field = tissue * (1 - above) + front * above
    return backscatter


def _side(grid: Grid, rng: np.random.Generator, tissue: Field) -> Field:
    """At times the carotid or the trachea's air shows at one edge."""
    kind = rng.random()
    edge = float(rng.integers(2))
    depth = rng.uniform(0.4, 0.8)
    reach = rng.uniform(0.05, 0.10)
    if kind < 0.25:
        from_wall = reach - np.hypot(grid.x - edge, (grid.y - depth) * np.float32(0.9))
        wall = 8 * bump(from_wall, 0.008)
        inside = step(from_wall, 0.006)
        return tissue * (1 - inside) + CAROTID_DB * inside + wall
    if kind < 0.40:
        from_wall = reach - np.abs(grid.x - edge) + np.float32(0.05) * (grid.y - 1)
        inside = step(from_wall, 0.012)
        return tissue + inside * AIR_DB
    return tissue
