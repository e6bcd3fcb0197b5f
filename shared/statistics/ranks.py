"""Midranks, by which areas under ROC curves are counted."""

import numpy as np

from shared.statistics.cases import Floats


def midranks(values: Floats) -> Floats:
    """Ranks from 1 upwards; equal values share the mean of the ranks that they take up.

    As `scipy.stats.rankdata`, without scipy.stats, which takes most of a second to import.

    Parameters
    ----------
    values : (..., N) float, each row ranked by itself
    """
    if values.ndim > 1:
        return np.stack([midranks(row) for row in values])
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean = last - (counts - 1) / 2
    return mean[place]
