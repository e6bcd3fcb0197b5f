"""AUC over images of the same site, with its interval by patient."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.statistics.cases import Flags, Floats
from shared.statistics.discrimination.clustered import clustered_areas
from shared.statistics.discrimination.roc import roc_auc
from shared.statistics.errors import ScoresInvalid, SingleClass
from shared.statistics.intervals import Interval, logit_interval

Z_95 = 1.959964
"""Half the width of a 95 % interval in standard errors."""


@dataclass(frozen=True, eq=False)
class SiteAreas:
    """AUCs (R,) of R judges of the same images, and their covariance (R, R), NaN if unknown.

    Only pairs of images of the same site are compared, because models of different sites share no
    scale.
    """

    values: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def area(self, judge: int) -> tuple[float, Interval | None]:
        """Return a judge's AUC; without an interval if the variance is not known."""
        value = float(self.values[judge])
        variance = float(self.covariance[judge, judge])
        return value, _interval(value, variance)

    def difference(self) -> tuple[float, Interval | None]:
        """Return the first judge's AUC less the second's, with Wald's 95 % interval."""
        value = float(self.values[0] - self.values[1])
        contrast = np.array([1.0, -1.0])
        variance = float(contrast @ self.covariance[:2, :2] @ contrast)
        if math.isnan(variance):
            return value, None
        margin = Z_95 * math.sqrt(max(variance, 0.0))
        return value, Interval(low=value - margin, high=value + margin)


def measure_site_areas(
    scores: Floats,
    malignant: Flags,
    groups: NDArray[np.str_],
    sites: NDArray[np.str_],
) -> SiteAreas | None:
    """Return the mean of the sites' AUCs, weighted by pairs; None if no site has both classes.

    Parameters
    ----------
    scores : (R, N) of R judges
    malignant : (N,) labels
    groups : (N,) patients
    sites : (N,)
    """
    count = len(scores)
    total = 0
    weighted_sum = np.zeros(count)
    weighted_covariance = np.zeros((count, count))
    for site in np.unique(sites):
        at_site = sites == site
        labels = malignant[at_site]
        pairs = int(labels.sum()) * int((~labels).sum())
        if not pairs:
            continue
        values, covariance = _areas(scores[:, at_site], labels, groups[at_site])
        total += pairs
        weighted_sum += pairs * values
        weighted_covariance += pairs**2 * covariance
    if not total:
        return None
    return SiteAreas(
        values=weighted_sum / total, covariance=weighted_covariance / total**2
    )


def _areas(
    scores: Floats, malignant: Flags, groups: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the AUCs and their covariance by patient, which is NaN for too few patients."""
    try:
        areas = clustered_areas(scores, malignant, groups)
    except (ScoresInvalid, SingleClass):
        values = np.array([roc_auc(row, malignant) for row in scores])
        return values, np.full((len(scores), len(scores)), math.nan)
    return areas.values, areas.covariance


def _interval(value: float, variance: float) -> Interval | None:
    """Return the 95 % interval on the logit scale, of no width without a variance."""
    if math.isnan(variance):
        return None
    if variance <= 0 or not 0 < value < 1:
        return Interval(low=value, high=value)
    return logit_interval(
        estimate=value, standard_error=math.sqrt(variance), level=0.95
    )
