"""The scanner: scatterers, point spread function, envelope, log compression.

Fully developed speckle is the envelope of a complex Gaussian field seen through the point spread function (Wagner et
al., IEEE Trans Sonics Ultrason 30:156, 1983); the tissue's backscatter scales the field.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms.grid import Field, Grid

GLAND_GREY = np.float32(124)
BLACK = 3
NOISE_DB = -34.0
"""The receiver's noise against the gland's echo."""


@dataclass(frozen=True)
class Scanner:
    """Settings of one examination. Lengths are fractions of the image side, levels dB."""

    axial: float
    lateral: float
    focus: float
    smoothing: float
    dynamic_range_db: float
    gain_db: float
    attenuation_db: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Scanner":
        """Settings as they differ from room to room."""
        return cls(
            axial=rng.uniform(0.0028, 0.0048),
            lateral=rng.uniform(0.005, 0.0095),
            focus=rng.uniform(0.4, 0.7),
            smoothing=rng.uniform(0.0025, 0.006),
            dynamic_range_db=rng.uniform(42, 58),
            gain_db=rng.uniform(-7, 2),
            attenuation_db=rng.uniform(0, 9),
        )

    def image(
        self, grid: Grid, rng: np.random.Generator, scene: Field, fluid: Field
    ) -> NDArray[np.uint8]:
        """B-mode image (S, S) of backscatter `scene` in dB; `fluid` (0..1) lets sound through unweakened."""
        passed = np.cumsum(fluid, 0, dtype=np.float32) / grid.size_px
        level = (
            scene
            - self.attenuation_db * (grid.y - np.float32(0.3))
            + np.float32(18) * passed * (1 - fluid)
        )
        echo = self._echo(grid, rng, np.power(np.float32(10), level / 20))
        noise = np.float32(10 ** (NOISE_DB / 20)) * rng.standard_normal(
            (2, *echo.shape[:2]), dtype=np.float32
        )
        envelope = np.hypot(echo[..., 0] + noise[0], echo[..., 1] + noise[1])
        return self._compressed(
            cv2.GaussianBlur(envelope, (0, 0), max(self.smoothing * grid.size_px, 0.35))
        )

    def _echo(self, grid: Grid, rng: np.random.Generator, amplitude: Field) -> Field:
        """Real and imaginary part of the echo, (S, S, 2), blurred the more across the farther from the focus."""
        field = (
            rng.standard_normal((*amplitude.shape, 2), dtype=np.float32)
            * amplitude[..., None]
        )
        axial = self.axial * grid.size_px
        lateral = self.lateral * grid.size_px
        sharp = _seen(field, axial, lateral)
        blunt = _seen(field, axial, 1.9 * lateral)
        away = np.minimum(np.abs(grid.y - np.float32(self.focus)) * np.float32(1.6), 1)[
            ..., None
        ]
        echo: Field = sharp + (blunt - sharp) * away
        return echo

    def _compressed(self, envelope: Field) -> NDArray[np.uint8]:
        """Log compression to 8 bits; the gland comes out a little below mid-grey."""
        level = np.float32(20) * np.log10(envelope + np.float32(1e-4)) + np.float32(
            self.gain_db
        )
        grey: Field = GLAND_GREY + level * np.float32(255 / self.dynamic_range_db)
        pixels: NDArray[np.uint8] = np.clip(grey, BLACK, 255).astype(np.uint8)
        return pixels


def _seen(field: Field, axial: float, lateral: float) -> Field:
    """Through a Gaussian point spread function, scaled so that the echo of even tissue has unit power."""
    power = 2 * np.sqrt(np.pi * max(axial, 0.35) * max(lateral, 0.35)) / np.sqrt(2)
    return cv2.GaussianBlur(field, (0, 0), sigmaX=lateral, sigmaY=axial) * np.float32(
        power
    )
