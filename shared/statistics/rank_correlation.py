"""Agreement of the order of two scores."""

import numpy as np
from numpy.typing import NDArray


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation of two scores (N,); NaN if all of one are equal."""
    # Imported here: scipy.stats takes most of a second to import, and the gateway does not need it.
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)
