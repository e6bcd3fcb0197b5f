"""Scores a nodule with parts of it blurred.

The passes run in slices, so that more urgent work can run between two slices.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging import Nodule

BLUR = 0.25
"""Width of the blur that hides a patch, as a fraction of the nodule's sides."""
SLICE_S = 0.25
"""Maximum duration of the passes between two pauses; at least one pass is made."""
MAX_SLICE_PASSES = 16

ScoreFunction = Callable[[Sequence[Nodule]], list[float | None]]
"""Gives a score for each nodule, or None for an unreadable one."""
PauseCallback = Callable[[], None]
"""Called between two slices. It runs work that is more urgent."""


def no_pause() -> None:
    """Does nothing between two slices."""


@dataclass(frozen=True, eq=False)
class OcclusionMask:
    """Hides parts of a nodule by replacing them with a blurred copy.

    The nodule is divided into `grid` x `grid` cells, which are numbered by rows.
    """

    nodule: Nodule
    blurred: NDArray[np.uint8]
    grid: int

    @classmethod
    def of_nodule(cls, nodule: Nodule, grid: int) -> "OcclusionMask":
        height, width = nodule.pixels.shape
        # A width and a height made odd by setting their lowest bit.
        kernel = (int(width * BLUR) | 1, int(height * BLUR) | 1)
        blurred = cv2.blur(nodule.pixels, kernel)
        return cls(nodule=nodule, blurred=np.asarray(blurred, np.uint8), grid=grid)

    def occlude_window(self, cell: int) -> Nodule:
        """Return the nodule with one cell and half a cell around it blurred.

        Neighbouring windows therefore overlap.
        """
        height, width = self.nodule.pixels.shape
        row, column = divmod(cell, self.grid)
        rows = _window(row, height, self.grid)
        columns = _window(column, width, self.grid)
        hidden = np.zeros((height, width), bool)
        hidden[rows, columns] = True
        return self._occlude(hidden)

    def occlude_cells(self, cells: NDArray[np.int_]) -> Nodule:
        """Return the nodule with exactly these cells blurred."""
        height, width = self.nodule.pixels.shape
        hidden_cells = np.zeros(self.grid * self.grid, bool)
        hidden_cells[cells] = True
        hidden_grid = hidden_cells.reshape(self.grid, self.grid)
        rows = np.arange(height) * self.grid // height
        columns = np.arange(width) * self.grid // width
        return self._occlude(hidden_grid[np.ix_(rows, columns)])

    def _occlude(self, hidden: NDArray[np.bool_]) -> Nodule:
        pixels = np.where(hidden, self.blurred, self.nodule.pixels)
        return replace(self.nodule, pixels=pixels)


def score_in_slices(
    score: ScoreFunction, nodules: Iterable[Nodule], pause: PauseCallback
) -> list[float | None]:
    """Return the score of each nodule.

    A slice has as many nodules as can be scored within `SLICE_S`. `pause` is called after each.
    """
    remaining = iter(nodules)
    scores: list[float | None] = []
    size = 1
    while batch := list(islice(remaining, size)):
        started = time.perf_counter()
        scores += score(batch)
        duration_s = max(time.perf_counter() - started, 1e-6)
        affordable = max(int(len(batch) * SLICE_S / duration_s), 1)
        size = min(affordable, 2 * size, MAX_SLICE_PASSES)
        pause()
    return scores


def _window(cell: int, side: int, grid: int) -> slice:
    """Return the pixels along one side of a cell and half a cell on both sides of it."""
    half = side / grid / 2
    start = round(cell * side / grid - half)
    end = round((cell + 1) * side / grid + half)
    return slice(max(start, 0), min(end, side))
