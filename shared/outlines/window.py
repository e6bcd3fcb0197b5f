"""The part of a picture that the outline network sees, and its prompt."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.regions.roi import Click, RealBox

Array = NDArray[np.float32]
Reals = NDArray[np.float64]
BOX_MARGIN = 0.5
"""What is seen around a box, as a share of its sides: a box may be off by a third."""
PICTURE_SIDE_RATIO = 1.2
"""Side of the network's input for a square picture, as a multiple of that around a box."""
CLICK_RADIUS = 0.2
"""Distance from a click at which its map is 0, as a share of the side of the network's input."""
BOX_MAP, CLICK_MAP = 0, 1
PROMPT_MAPS = 2
"""A prompt has a map for a box and one for a click; at most one of them is not 0."""
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

    def no_prompt(self) -> Array:
        """Return the prompt (`PROMPT_MAPS`, rows, columns) where nothing is marked: zeros."""
        return np.zeros((PROMPT_MAPS, self.rows, self.columns), np.float32)

    def box_prompt(self, box: RealBox) -> Array:
        """Return the prompt of a box: see `OutlineNetwork.forward`."""
        left, top, width, height = box
        x, y = self._pixel_centres()
        radius = np.hypot(
            (x - left) / width * 2 - 1, ((y - top) / height * 2 - 1)[:, np.newaxis]
        )
        prompt = self.no_prompt()
        prompt[BOX_MAP] = 1 - np.clip(radius, 0, 2) / 2
        return prompt

    def click_prompt(self, click: Click) -> Array:
        """Return the prompt of a point: see `OutlineNetwork.forward`."""
        x, y = self._pixel_centres()
        scale_x, scale_y = self._scale()
        radius_px = CLICK_RADIUS * (self.columns * self.rows) ** 0.5
        distance = np.hypot(
            (x - click.x) / scale_x, ((y - click.y) / scale_y)[:, np.newaxis]
        )
        prompt = self.no_prompt()
        prompt[CLICK_MAP] = 1 - np.clip(distance / radius_px, 0, 2)
        return prompt

    def _pixel_centres(self) -> tuple[Reals, Reals]:
        """Return x of each column and y of each row, in pixels of the picture."""
        scale_x, scale_y = self._scale()
        x = self.left + (np.arange(self.columns) + 0.5) * scale_x
        y = self.top + (np.arange(self.rows) + 0.5) * scale_y
        return x.astype(np.float64), y.astype(np.float64)

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
