"""The array that the textures count with, and the sum over some of its axes."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sum_over(values: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """The sum over `axis`; numpy's own declaration leaves open whether an array is left."""
    summed: Array = values.sum(axis)
    return summed
