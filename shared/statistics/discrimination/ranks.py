"""Midranks, from which areas under ROC curves are computed."""

from shared.statistics.cases import Floats


def midranks(values: Floats) -> Floats:
    """Return the ranks from 1 upwards; equal values share the mean of their ranks.

    Parameters
    ----------
    values : (..., N) float, each row ranked by itself
    """
    # Imported here: scipy.stats takes most of a second to import, and the gateway seldom needs it.
    from scipy.stats import rankdata

    ranks: Floats = rankdata(values, axis=-1)
    return ranks
