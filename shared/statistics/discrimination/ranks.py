"""Midranks, by which areas under ROC curves are counted."""

from shared.statistics.cases import Floats


def midranks(values: Floats) -> Floats:
    """Ranks from 1 upwards; equal values share the mean of the ranks that they take up.

    Parameters
    ----------
    values : (..., N) float, each row ranked by itself
    """
    # Here, for scipy.stats takes most of a second to import, and the gateway seldom ranks.
    from scipy.stats import rankdata

    ranks: Floats = rankdata(values, axis=-1)
    return ranks
