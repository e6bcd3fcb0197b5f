"""Variance of AUCs if several images of one patient are not independent."""

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
        """Return the Wald interval on the logit scale.

        Its width is 0 if the classes do not overlap.
        """
        area = float(self.values[reader])
        variance = float(self.covariance[reader, reader])
        if variance > 0 and 0 < area < 1:
            return logit_interval(
                estimate=area, standard_error=math.sqrt(variance), level=level
            )
        return Interval(low=area, high=area)

    def compare_readers(self) -> PairedTest:
        """Test of the first reader against the second, for R = 2."""
        variance = (
            self.covariance[0, 0] + self.covariance[1, 1] - 2 * self.covariance[0, 1]
        )
        difference = float(self.values[0] - self.values[1])
        standard_error = math.sqrt(max(float(variance), 0.0))
        if standard_error:
            z = difference / standard_error
        elif difference:
            z = math.copysign(math.inf, difference)
        else:
            z = 0.0
        auc_first, auc_second = map(float, self.values)
        return PairedTest(
            auc_first=auc_first,
            auc_second=auc_second,
            difference=difference,
            standard_error=standard_error,
            z=z,
            p_value=float(2 * ndtr(-abs(z))),
        )


def clustered_areas(scores: ArrayLike, labels: ArrayLike, clusters: ArrayLike) -> Areas:
    """Compute the AUCs of one or more readers, and their covariance under clusters of images.

    If every image is a separate cluster, the result equals DeLong's.

    Parameters
    ----------
    scores : (R, N) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class
    clusters : (N,) names of patients; images with the same name belong together

    Raises
    ------
    ScoresInvalid, SingleClass

    Source: Obuchowski, Biometrics 53:567 (1997).
    """
    reader_rows = np.atleast_2d(np.asarray(scores, np.float64))
    cases = [as_cases(row, labels, min_per_class=2) for row in reader_rows]
    values = np.stack([row for row, _ in cases])
    malignant = cases[0][1]
    names, cluster_of = np.unique(np.asarray(clusters), return_inverse=True)
    if cluster_of.shape != malignant.shape:
        raise ScoresInvalid(
            problem=f"there are {cluster_of.size} clusters' names for {malignant.size} images"
        )
    shares = _correctly_ranked_shares(values, malignant)
    areas = shares[:, malignant].mean(axis=1)
    excess = shares - areas[:, None]
    malignant_sums = _sum_by_cluster(
        np.where(malignant, excess, 0.0), cluster_of, names.size
    )
    benign_sums = _sum_by_cluster(
        np.where(malignant, 0.0, excess), cluster_of, names.size
    )
    covariance = _covariance(
        malignant_sums=malignant_sums,
        benign_sums=benign_sums,
        malignant=malignant,
        cluster_of=cluster_of,
    )
    return Areas(values=areas, covariance=covariance)


def _sum_by_cluster(values: Floats, cluster_of: np.ndarray, clusters: int) -> Floats:
    """Return the sums (R, K) of `values` (R, N) over the images of each of K clusters."""
    sums = [np.bincount(cluster_of, weights=row, minlength=clusters) for row in values]
    return np.stack(sums).astype(np.float64, copy=False)


def _correctly_ranked_shares(scores: Floats, malignant: Flags) -> Floats:
    """Return the share (R, N) of the other class against which each image is ranked correctly."""
    positives = int(malignant.sum())
    negatives = int((~malignant).sum())
    overall_ranks = midranks(scores)
    ranks_among_malignant = midranks(scores[:, malignant])
    ranks_among_benign = midranks(scores[:, ~malignant])
    shares = np.empty_like(scores)
    shares[:, malignant] = (
        overall_ranks[:, malignant] - ranks_among_malignant
    ) / negatives
    shares[:, ~malignant] = (
        1 - (overall_ranks[:, ~malignant] - ranks_among_benign) / positives
    )
    return shares


def _covariance(
    *,
    malignant_sums: Floats,
    benign_sums: Floats,
    malignant: Flags,
    cluster_of: np.ndarray,
) -> Floats:
    """Compute the covariance (R, R) from the sums (R, K) over each cluster's images by class."""
    positives = int(malignant.sum())
    negatives = int((~malignant).sum())
    clusters = np.unique(cluster_of).size
    malignant_clusters = np.unique(cluster_of[malignant]).size
    benign_clusters = np.unique(cluster_of[~malignant]).size
    if min(malignant_clusters, benign_clusters) < 2:
        raise ScoresInvalid(
            problem="all malignant or all benign images are of one patient"
        )
    mixed_part = (
        _bessel_factor(clusters)
        * malignant_sums
        @ benign_sums.T
        / (positives * negatives)
    )
    malignant_part = (
        _bessel_factor(malignant_clusters)
        * malignant_sums
        @ malignant_sums.T
        / positives**2
    )
    benign_part = (
        _bessel_factor(benign_clusters) * benign_sums @ benign_sums.T / negatives**2
    )
    return malignant_part + benign_part + mixed_part + mixed_part.T


def _bessel_factor(clusters: int) -> float:
    return clusters / (clusters - 1)
