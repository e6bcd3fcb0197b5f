"""The image plane of a phantom, and smooth random fields on it."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """A square of `size_px` pixels; x runs from left to right, y is depth, both 0..1."""

    size_px: int

    @cached_property
    def y(self) -> Field:
        """Depth of each row, (S, 1)."""
        rows = np.arange(self.size_px, dtype=np.float32)
        return ((rows + np.float32(0.5)) / np.float32(self.size_px))[:, None]

    @cached_property
    def x(self) -> Field:
        """Position of each column, (1, S)."""
        return self.y.T

    def smooth_noise(self, rng: np.random.Generator, columns: int, rows: int) -> Field:
        """Return a Gaussian field (S, S) of unit variance.

        It is interpolated from `rows` x `columns` random nodes.
        """
        nodes = rng.standard_normal((rows, columns), dtype=np.float32)
        return _interpolated(nodes, width=self.size_px, height=self.size_px)

    def wavy_line(
        self, rng: np.random.Generator, depth: float, amplitude: float
    ) -> Field:
        """Return the depth of an interface that rises and falls by about `amplitude`, (1, S)."""
        nodes = depth + amplitude * rng.standard_normal((1, 5), dtype=np.float32)
        return _interpolated(nodes, width=self.size_px, height=1)


def _interpolated(nodes: Field, width: int, height: int) -> Field:
    """Interpolate `nodes` to (height, width)."""
    field = cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field, np.float32)


def gaussian_bump(distance: Field, width: float) -> Field:
    """Return 1 at distance 0, falling off like a Gaussian of standard deviation `width`."""
    height: Field = np.exp(np.float32(-0.5) * (distance / np.float32(width)) ** 2)
    return height


def smooth_step(distance: Field, width: float) -> Field:
    """Return 0 far below distance 0 and 1 far above it.

    The transition is about 2 `width` wide.
    """
    height: Field = np.float32(0.5) * (1 + np.tanh(distance / np.float32(width)))
    return height
