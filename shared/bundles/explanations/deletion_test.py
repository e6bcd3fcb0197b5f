"""The deletion test: measures whether a map shows the places that a score depends on.

Source: Petsiuk et al., BMVC 2018.
"""

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

STEP_COUNT = 8
RANDOM_ORDER_COUNT = 3
"""Number of random orders with which the map's order is compared. Each needs additional passes."""
SEED = 0


@dataclass(frozen=True)
class Faithfulness:
    """How the score falls while the nodule is blurred away, cell by cell.

    Attributes
    ----------
    hidden : shares of the cells that are blurred, from 0 to 1
    ordered : score at each share, the most important cells first
    random : score at each share in random order, as the mean of `orders` orders
    area : area between the two curves, in units of the score. It is above 0 if the score falls
        faster in the map's order than in random order
    """

    hidden: tuple[float, ...]
    ordered: tuple[float, ...]
    random: tuple[float, ...]
    orders: int
    area: float


def deletion_test(
    score: ScoreFunction,
    mask: OcclusionMask,
    importance: NDArray[np.floating],
    pause: PauseCallback,
) -> Faithfulness:
    """Blur the mask's cells from the most to the least important one, and in random orders.

    Parameters
    ----------
    importance : (rows, columns) of any grid; a higher value speaks more for malignancy
    """
    orders = [
        _order_by_importance(importance, mask.grid),
        *_random_orders(mask.grid),
    ]
    curves = _curves(score, mask, orders, pause)
    ordered = curves[0]
    random = curves[1:].mean(0)
    hidden = np.linspace(0, 1, STEP_COUNT + 1)
    area = float(np.trapezoid(random - ordered, hidden))
    return Faithfulness(
        hidden=_rounded(hidden),
        ordered=_rounded(ordered),
        random=_rounded(random),
        orders=RANDOM_ORDER_COUNT,
        area=area,
    )


def _curves(
    score: ScoreFunction,
    mask: OcclusionMask,
    orders: Sequence[NDArray[np.int_]],
    pause: PauseCallback,
) -> NDArray[np.float64]:
    """Return the score of each order at each step: (orders, STEPS + 1).

    The first step hides nothing and the last step hides everything, so both are the same for all
    orders. A nodule that cannot be processed counts as unchanged.
    """
    cell_count = mask.grid**2
    hidden_cells = [np.arange(0), np.arange(cell_count)]
    for order in orders:
        for step in range(1, STEP_COUNT):
            hidden_cells.append(order[: cell_count * step // STEP_COUNT])
    nodules = (mask.occlude_cells(cells) for cells in hidden_cells)
    scores = score_in_slices(score, nodules, pause)
    start = scores[0] or 0.0
    values = np.array([start if value is None else value for value in scores])
    first = np.full((len(orders), 1), values[0])
    last = np.full((len(orders), 1), values[1])
    middle = values[2:].reshape(len(orders), STEP_COUNT - 1)
    return np.hstack([first, middle, last])


def _order_by_importance(
    importance: NDArray[np.floating], grid: int
) -> NDArray[np.int_]:
    """Return the cells of the grid, the most important one first."""
    shrinks = grid <= min(importance.shape)
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    cells = cv2.resize(
        importance.astype(np.float64), (grid, grid), interpolation=interpolation
    )
    return np.argsort(-cells.ravel(), kind="stable")


def _random_orders(grid: int) -> Iterator[NDArray[np.int_]]:
    generator = np.random.default_rng(SEED)
    return (generator.permutation(grid * grid) for _ in range(RANDOM_ORDER_COUNT))


def _rounded(curve: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in curve)
