"""Parts of a nodule blurred away, and what is said of it then; in slices, so that other work can come between."""

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
"""How long the passes between two pauses may take together; one pass at least is made."""
MAX_SLICE_PASSES = 16

ScoreFunction = Callable[[Sequence[Nodule]], list[float | None]]
"""A number for each nodule, or None for one that cannot be read."""
PauseCallback = Callable[[], None]
"""Called between two slices: what is more urgent is done there."""


def no_pause() -> None:
    pass


@dataclass(frozen=True, eq=False)
class OcclusionMask:
    """A nodule and the same blurred, of which any part can be put together."""

    nodule: Nodule
    blurred: NDArray[np.uint8]
    grid: int

    @classmethod
    def of_nodule(cls, nodule: Nodule, grid: int) -> "OcclusionMask":
        height, width = nodule.pixels.shape
        reach = (int(width * BLUR) | 1, int(height * BLUR) | 1)
        return cls(nodule, np.asarray(cv2.blur(nodule.pixels, reach), np.uint8), grid)

    def occlude_window(self, cell: int) -> Nodule:
        """Blurred over one cell of the grid and half a cell around it, so that windows overlap."""
        height, width = self.nodule.pixels.shape
        row, column = divmod(cell, self.grid)
        hidden = np.zeros((height, width), bool)
        hidden[_reach(row, height, self.grid), _reach(column, width, self.grid)] = True
        return self._without(hidden)

    def occlude_cells(self, cells: NDArray[np.int_]) -> Nodule:
        """Blurred over exactly these cells."""
        height, width = self.nodule.pixels.shape
        chosen = np.zeros(self.grid * self.grid, bool)
        chosen[cells] = True
        rows, columns = (
            np.arange(side) * self.grid // side for side in (height, width)
        )
        return self._without(
            chosen.reshape(self.grid, self.grid)[np.ix_(rows, columns)]
        )

    def _without(self, hidden: NDArray[np.bool_]) -> Nodule:
        return replace(
            self.nodule, pixels=np.where(hidden, self.blurred, self.nodule.pixels)
        )


def score_in_slices(
    score: ScoreFunction, nodules: Iterable[Nodule], pause: PauseCallback
) -> list[float | None]:
    """What `score` says of each; as many at once as `SLICE_S` allows, `pause` between."""
    waiting = iter(nodules)
    told = []
    size = 1
    while some := list(islice(waiting, size)):
        began = time.perf_counter()
        told += score(some)
        took = max(time.perf_counter() - began, 1e-6)
        size = min(max(int(len(some) * SLICE_S / took), 1), 2 * size, MAX_SLICE_PASSES)
        pause()
    return told


def _reach(place: int, side: int, grid: int) -> slice:
    half = side / grid / 2
    return slice(
        max(round(place * side / grid - half), 0),
        min(round((place + 1) * side / grid + half), side),
    )
