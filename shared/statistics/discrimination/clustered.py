"""Variance of AUCs where several images are of one patient, and so not independent."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from shared.statistics.cases import Flags, Floats, as_cases
from shared.statistics.discrimination.delong import PairedTest
from shared.statistics.discrimination.ranks import midranks
from shared.statistics.errors import ScoresInvalid
from shared.statistics.intervals import Interval, logit_interval


@dataclass(frozen=True)
class Areas:
    """AUCs (R,) of R readers on the same images, and their covariance matrix (R, R)."""

    values: Floats
    covariance: Floats

    def interval(self, reader: int, level: float = 0.95) -> Interval:
        """Wald's on the logit scale; of zero width where the classes do not overlap at all."""
        area = float(self.values[reader])
        variance = float(self.covariance[reader, reader])
        return (
            logit_interval(area, math.sqrt(variance), level)
            if variance > 0 and 0 < area < 1
            else Interval(area, area)
        )

    def compare_readers(self) -> PairedTest:
        """The first reader against the second."""
        spread = (
            self.covariance[0, 0] + self.covariance[1, 1] - 2 * self.covariance[0, 1]
        )
        difference = float(self.values[0] - self.values[1])
        error = math.sqrt(max(float(spread), 0.0))
        z = (
            difference / error
            if error
            else math.copysign(math.inf, difference)
            if difference
            else 0.0
        )
        first, second = map(float, self.values)
        return PairedTest(first, second, difference, error, z, float(2 * ndtr(-abs(z))))


def clustered_areas(scores: ArrayLike, labels: ArrayLike, clusters: ArrayLike) -> Areas:
    """AUCs of one or more readers, with the covariance that clusters of images leave them.

    DeLong's, where every image is a cluster of its own.

    Parameters
    ----------
    scores : (R, N) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class
    clusters : (N,) names of patients; images of one name go together

    Raises
    ------
    ScoresInvalid, SingleClass

    Source: Obuchowski, Biometrics 53:567 (1997).
    """
    rows = [
        as_cases(row, labels, min_per_class=2)
        for row in np.atleast_2d(np.asarray(scores, np.float64))
    ]
    values = np.stack([row for row, _ in rows])
    malignant = rows[0][1]
    names, place = np.unique(np.asarray(clusters), return_inverse=True)
    if place.shape != malignant.shape:
        raise ScoresInvalid(
            problem=f"there are {place.size} clusters' names for {malignant.size} images"
        )
    ranked = _ranked_rightly(values, malignant)
    areas = ranked[:, malignant].mean(axis=1)
    excess = (
        np.where(malignant, ranked - areas[:, None], 0.0),
        np.where(malignant, 0.0, ranked - areas[:, None]),
    )
    sick, well = (_summed_by_cluster(part, place, names.size) for part in excess)
    return Areas(areas, _covariance(sick, well, malignant, place))


def _summed_by_cluster(values: Floats, place: np.ndarray, clusters: int) -> Floats:
    """Sums (R, K) of `values` (R, N) over the images of each of K clusters."""
    sums = [np.bincount(place, weights=row, minlength=clusters) for row in values]
    return np.stack(sums).astype(np.float64, copy=False)


def _ranked_rightly(scores: Floats, malignant: Flags) -> Floats:
    """Each image's share (R, N) of the other class that it is ranked rightly against."""
    positives = int(malignant.sum())
    negatives = int((~malignant).sum())
    overall = midranks(scores)
    ranked = np.empty_like(scores)
    ranked[:, malignant] = (
        overall[:, malignant] - midranks(scores[:, malignant])
    ) / negatives
    ranked[:, ~malignant] = (
        1 - (overall[:, ~malignant] - midranks(scores[:, ~malignant])) / positives
    )
    return ranked


def _covariance(
    sick: Floats, well: Floats, malignant: Flags, place: np.ndarray
) -> Floats:
    """From each cluster's sums (R, K) over its malignant and its benign images."""
    positives = int(malignant.sum())
    negatives = int((~malignant).sum())
    with_sick, with_well, all_ = (
        np.unique(part).size for part in (place[malignant], place[~malignant], place)
    )
    if min(with_sick, with_well) < 2:
        raise ScoresInvalid(
            problem="all malignant or all benign images are of one patient"
        )
    mixed = _bessel(all_) * sick @ well.T / (positives * negatives)
    of_sick = _bessel(with_sick) * sick @ sick.T / positives**2
    of_well = _bessel(with_well) * well @ well.T / negatives**2
    return of_sick + of_well + mixed + mixed.T


def _bessel(clusters: int) -> float:
    return clusters / (clusters - 1)
