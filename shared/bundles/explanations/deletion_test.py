"""Whether a map points at what the score hangs on: the deletion test (Petsiuk et al., BMVC 2018)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.bundles.explanations.occlusion import (
    OcclusionMask,
    PauseCallback,
    ScoreFunction,
    score_in_slices,
)

STEPS = 8
ORDERS = 3
"""Random orders that the map's own is compared with; more cost passes."""
SEED = 0


@dataclass(frozen=True)
class Faithfulness:
    """How the score falls while the nodule is blurred away, cell by cell.

    Attributes
    ----------
    hidden : shares of the cells blurred, from 0 to 1
    ordered : score after each, the most important cells first
    random : the same in random order, mean of `orders` orders
    area : between the two curves, in units of the score; above 0 the map's order makes it fall faster
    """

    hidden: tuple[float, ...]
    ordered: tuple[float, ...]
    random: tuple[float, ...]
    orders: int
    area: float


def deletion_test(
    score: ScoreFunction,
    veil: OcclusionMask,
    importance: NDArray[np.floating],
    pause: PauseCallback,
) -> Faithfulness:
    """Blur the cells of the veil's grid from the most to the least important, and in random orders.

    Parameters
    ----------
    importance : (rows, columns), any grid; higher speaks more for malignancy
    """
    orders = [_most_important_first(importance, veil.grid), *_random(veil.grid)]
    curves = _curves(score, veil, orders, pause)
    ordered = curves[0]
    random = curves[1:].mean(0)
    hidden = np.linspace(0, 1, STEPS + 1)
    area = float(np.trapezoid(random - ordered, hidden))
    return Faithfulness(
        _rounded(hidden), _rounded(ordered), _rounded(random), ORDERS, area
    )


def _curves(
    score: ScoreFunction,
    veil: OcclusionMask,
    orders: Sequence[NDArray[np.int_]],
    pause: PauseCallback,
) -> NDArray[np.float64]:
    """(orders, STEPS + 1); the ends, nothing and everything hidden, are the same for all."""
    cells = veil.grid**2
    ends = [np.arange(0), np.arange(cells)]
    between = [
        order[: cells * step // STEPS] for order in orders for step in range(1, STEPS)
    ]
    told = score_in_slices(
        score, (veil.occlude_cells(each) for each in (*ends, *between)), pause
    )
    start = told[0] or 0.0
    values = np.array(
        [start if each is None else each for each in told]
    )  # what cannot be read shows no fall
    first, last = (np.full((len(orders), 1), end) for end in values[:2])
    return np.hstack([first, values[2:].reshape(len(orders), STEPS - 1), last])


def _most_important_first(
    importance: NDArray[np.floating], grid: int
) -> NDArray[np.int_]:
    shrinks = grid <= min(importance.shape)
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    cells = cv2.resize(importance.astype(np.float64), (grid, grid), interpolation=how)
    return np.argsort(-cells.ravel(), kind="stable")


def _random(grid: int) -> Iterator[NDArray[np.int_]]:
    generator = np.random.default_rng(SEED)
    return (generator.permutation(grid * grid) for _ in range(ORDERS))


def _rounded(curve: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in curve)
