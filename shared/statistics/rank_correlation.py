"""Agreement of the order of two scores."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation of two scores (N,); NaN if all of one are equal."""
    return float(spearmanr(first, second).statistic)
