"""The array type of the texture features, and a typed sum over some of its axes."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sum_over(values: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """Sum `values` over `axis`.

    numpy's type of `ndarray.sum` does not state that the result is an array. This function does.
    """
    sums: Array = values.sum(axis)
    return sums
