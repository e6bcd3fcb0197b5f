"""A model of the scanner: scatterers, point spread function, envelope, log compression.

Fully developed speckle is the envelope of a complex Gaussian field that is convolved with the point
spread function (Wagner et al., IEEE Trans Sonics Ultrason 30:156, 1983). The tissue's backscatter
scales the field.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms.grid import Field, Grid

GLAND_GREY = np.float32(124)
MIN_GREY = 3
NOISE_DB = -34.0
"""The receiver's noise relative to the gland's echo."""
MIN_SIGMA_PX = 0.35


@dataclass(frozen=True)
class Scanner:
    """Settings of one examination. Lengths are fractions of the image side, levels are in dB."""

    axial: float
    """Axial resolution."""
    lateral: float
    """Lateral resolution in the focus."""
    focus_depth: float
    smoothing: float
    dynamic_range_db: float
    gain_db: float
    attenuation_db: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Scanner":
        """Return the settings as they vary from one scanner to another."""
        return cls(
            axial=rng.uniform(0.0028, 0.0048),
            lateral=rng.uniform(0.005, 0.0095),
            focus_depth=rng.uniform(0.4, 0.7),
            smoothing=rng.uniform(0.0025, 0.006),
            dynamic_range_db=rng.uniform(42, 58),
            gain_db=rng.uniform(-7, 2),
            attenuation_db=rng.uniform(0, 9),
        )

    def image(
        self, grid: Grid, rng: np.random.Generator, scene: Field, fluid: Field
    ) -> NDArray[np.uint8]:
        """Return the b-mode image (S, S).

        Parameters
        ----------
        scene : (S, S) backscatter in dB
        fluid : (S, S) share of fluid, 0..1; fluid does not attenuate the sound
        """
        fluid_above = np.cumsum(fluid, 0, dtype=np.float32) / grid.size_px
        level = (
            scene
            - self.attenuation_db * (grid.y - np.float32(0.3))
            + np.float32(18) * fluid_above * (1 - fluid)
        )
        amplitude = np.power(np.float32(10), level / 20)
        echo = self._echo(grid, rng, amplitude)
        noise_shape = (2, *echo.shape[:2])
        noise = np.float32(10 ** (NOISE_DB / 20)) * rng.standard_normal(
            noise_shape, dtype=np.float32
        )
        envelope = np.hypot(echo[..., 0] + noise[0], echo[..., 1] + noise[1])
        sigma_px = max(self.smoothing * grid.size_px, MIN_SIGMA_PX)
        return self._compressed(cv2.GaussianBlur(envelope, (0, 0), sigma_px))

    def _echo(self, grid: Grid, rng: np.random.Generator, amplitude: Field) -> Field:
        """Return the real and imaginary part of the echo, (S, S, 2).

        The lateral blur grows with the distance from the focus.
        """
        scatterers = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32)
        field = scatterers * amplitude[..., None]
        axial_px = self.axial * grid.size_px
        lateral_px = self.lateral * grid.size_px
        sharp = _blurred(field, axial_px=axial_px, lateral_px=lateral_px)
        blunt = _blurred(field, axial_px=axial_px, lateral_px=1.9 * lateral_px)
        distance = np.abs(grid.y - np.float32(self.focus_depth))
        defocus = np.minimum(distance * np.float32(1.6), 1)[..., None]
        echo: Field = sharp + (blunt - sharp) * defocus
        return echo

    def _compressed(self, envelope: Field) -> NDArray[np.uint8]:
        """Return the log compression to 8 bits; the gland is a little darker than mid-grey."""
        level = np.float32(20) * np.log10(envelope + np.float32(1e-4))
        level = level + np.float32(self.gain_db)
        grey: Field = GLAND_GREY + level * np.float32(255 / self.dynamic_range_db)
        pixels: NDArray[np.uint8] = np.clip(grey, MIN_GREY, 255).astype(np.uint8)
        return pixels


def _blurred(field: Field, axial_px: float, lateral_px: float) -> Field:
    """Convolve `field` with a Gaussian point spread function.

    The result is scaled so that the echo of even tissue has unit power.
    """
    power = (
        2
        * np.sqrt(np.pi * max(axial_px, MIN_SIGMA_PX) * max(lateral_px, MIN_SIGMA_PX))
        / np.sqrt(2)
    )
    blurred = cv2.GaussianBlur(field, (0, 0), sigmaX=lateral_px, sigmaY=axial_px)
    return blurred * np.float32(power)
