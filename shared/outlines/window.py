"""The part of a picture that the outline network sees, and its prompt."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.regions.roi import RealBox

Array = NDArray[np.float32]
BOX_MARGIN = 0.5
"""What is seen around a box, as a share of its sides: a box may be off by a third."""
PICTURE_SIDE_RATIO = 1.2
"""Side of the network's input for a square picture, as a multiple of that around a box."""
SIDE_MULTIPLE_PX = 32
"""Sides of the network's input are multiples of this, so that every scale of it has whole pixels."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture, and the size at which the network sees it.

    Attributes
    ----------
    left, top, width, height : the rectangle in pixels of the picture; it may reach beyond it
    columns, rows : size in pixels of the network's input
    """

    left: float
    top: float
    width: float
    height: float
    columns: int
    rows: int

    @classmethod
    def around(cls, box: RealBox, input_px: int) -> Self:
        """Return the window around a box, seen as a square of `input_px` pixels a side."""
        left, top, width, height = box
        return cls(
            left=left - BOX_MARGIN * width,
            top=top - BOX_MARGIN * height,
            width=(1 + 2 * BOX_MARGIN) * width,
            height=(1 + 2 * BOX_MARGIN) * height,
            columns=input_px,
            rows=input_px,
        )

    @classmethod
    def of_picture(cls, box: RealBox, input_px: int) -> Self:
        """Return the window of a whole picture, or of its part `box`, in its own proportions.

        Parameters
        ----------
        input_px : side of the network's input around a box
        """
        left, top, width, height = box
        scale = PICTURE_SIDE_RATIO * input_px / (width * height) ** 0.5
        columns = _nearest_multiple(width * scale)
        rows = _nearest_multiple(height * scale)
        return cls(
            left=left, top=top, width=width, height=height, columns=columns, rows=rows
        )

    def sample(self, picture: NDArray[np.uint8] | NDArray[np.float32]) -> Array:
        """Return the window's pixels (rows, columns) float32. Outside the picture they are 0."""
        scale_x, scale_y = self._scale()
        coarsest = max(scale_x, scale_y)
        pixels = picture.astype(np.float32)
        if coarsest > 1.5:
            pixels = cv2.GaussianBlur(pixels, (0, 0), coarsest / 4).astype(np.float32)
        return self._warp(pixels, cv2.WARP_INVERSE_MAP, (self.columns, self.rows))

    def place(self, values: Array, width: int, height: int) -> Array:
        """Return values of the network's pixels on the picture, (height, width); 0 elsewhere."""
        return self._warp(values, 0, (width, height))

    def prompt(self, box: RealBox) -> Array:
        """Return the prompt (rows, columns) of a box: see `OutlineNetwork.forward`."""
        left, top, width, height = box
        scale_x, scale_y = self._scale()
        x = self.left + (np.arange(self.columns) + 0.5) * scale_x
        y = self.top + (np.arange(self.rows) + 0.5) * scale_y
        radius = np.hypot(
            (x - left) / width * 2 - 1, ((y - top) / height * 2 - 1)[:, np.newaxis]
        )
        return np.asarray(1 - np.clip(radius, 0, 2) / 2, np.float32)

    def _scale(self) -> tuple[float, float]:
        """Return pixels of the picture for each pixel of the network, across and down."""
        return self.width / self.columns, self.height / self.rows

    def _warp(self, pixels: Array, direction: int, size: tuple[int, int]) -> Array:
        """Map between pixels of the picture and of the network."""
        scale_x, scale_y = self._scale()
        matrix = np.array(
            [
                [scale_x, 0, self.left + scale_x / 2 - 0.5],
                [0, scale_y, self.top + scale_y / 2 - 0.5],
            ]
        )
        warped = cv2.warpAffine(
            pixels, matrix, size, flags=cv2.INTER_LINEAR | direction, borderValue=0
        )
        return np.asarray(warped, np.float32)


def _nearest_multiple(side_px: float) -> int:
    return max(round(side_px / SIDE_MULTIPLE_PX), 1) * SIDE_MULTIPLE_PX
