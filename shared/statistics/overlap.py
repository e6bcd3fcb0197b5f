"""Agreement of two outlines."""

import numpy as np
from numpy.typing import NDArray


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks of equal shape: 1 for equal ones, 0 for disjoint.

    Two empty masks agree. Source: Dice, Ecology 26:297 (1945).
    """
    total = int(first.sum()) + int(second.sum())
    if not total:
        return 1.0
    return 2 * int((first & second).sum()) / total
