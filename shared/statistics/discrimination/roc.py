"""The receiver operating characteristic: its curve, its area, and Youden's cut-off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Floats, as_cases
from shared.statistics.discrimination.ranks import midranks
from shared.statistics.errors import ConstantScores


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Points (K,) of the curve from (0, 0) to (1, 1).

    Scores at or above a threshold are called malignant.
    """

    thresholds: Floats
    false_positive_rate: Floats
    sensitivity: Floats


def roc_auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the ROC curve.

    It is the probability that a malignant case scores above a benign one; a tie counts half.

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant

    Raises
    ------
    ScoresInvalid, SingleClass

    Source: Mann-Whitney U by midranks (Hanley & McNeil, Radiology 143:29, 1982).
    """
    values, malignant = as_cases(scores, labels)
    positives = int(malignant.sum())
    negatives = malignant.size - positives
    rank_sum = midranks(values)[malignant].sum()
    u_statistic = rank_sum - positives * (positives + 1) / 2
    return float(u_statistic / (positives * negatives))


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> RocCurve:
    """Return the curve with one point for each distinct score, from the highest score down.

    Its first point is (0, 0) at an infinite threshold.

    Parameters
    ----------
    scores : (N,) float
    labels : (N,) bool or 0/1, 1 = malignant

    Raises
    ------
    ScoresInvalid, SingleClass
    """
    values, malignant = as_cases(scores, labels)
    thresholds, true_positives, false_positives = _counts_at_or_above(values, malignant)
    sensitivity = true_positives / true_positives[-1]
    false_positive_rate = false_positives / false_positives[-1]
    return RocCurve(
        thresholds=np.concatenate(([np.inf], thresholds)),
        false_positive_rate=np.concatenate(([0.0], false_positive_rate)),
        sensitivity=np.concatenate(([0.0], sensitivity)),
    )


def youden_cutoff(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the cut-off with the greatest sensitivity + specificity - 1.

    A score at or above the cut-off is called malignant. The cut-off is half-way between two
    neighbouring scores, so no score equals it. If several cut-offs are equally good, the lowest and
    therefore most sensitive cut-off is chosen. Choose it on validation data, never on the test set.

    Parameters
    ----------
    scores : (N,) float
    labels : (N,) bool or 0/1, 1 = malignant

    Raises
    ------
    ConstantScores
        All scores are equal.
    ScoresInvalid, SingleClass

    Source: Youden, Cancer 3:32 (1950).
    """
    values, malignant = as_cases(scores, labels)
    thresholds, true_positives, false_positives = _counts_at_or_above(values, malignant)
    if thresholds.size == 1:
        raise ConstantScores(count=values.size)
    positives = true_positives[-1]
    negatives = false_positives[-1]
    # Whole numbers make equally good cut-offs compare equal.
    youden_indices = true_positives * negatives - false_positives * positives
    youden_indices = youden_indices[:-1]
    best = int(np.flatnonzero(youden_indices == youden_indices.max())[-1])
    return _midpoint(low=float(thresholds[best + 1]), high=float(thresholds[best]))


def _counts_at_or_above(
    values: Floats, malignant: np.ndarray
) -> tuple[Floats, np.ndarray, np.ndarray]:
    """Count the malignant and the benign cases at or above each distinct score, descending."""
    distinct_scores, position = np.unique(-values, return_inverse=True)
    size = distinct_scores.size
    true_positives = np.bincount(position[malignant], minlength=size).cumsum()
    false_positives = np.bincount(position[~malignant], minlength=size).cumsum()
    return -distinct_scores, true_positives, false_positives


def _midpoint(low: float, high: float) -> float:
    """Return the midpoint, or the upper score if the two scores are neighbouring floats."""
    middle = low + (high - low) / 2
    return middle if middle > low else high
