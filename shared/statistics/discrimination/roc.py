"""The receiver operating characteristic: its curve, its area, and Youden's cut-off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Floats, as_cases
from shared.statistics.discrimination.ranks import midranks
from shared.statistics.errors import ConstantScores


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Points of the curve from (0, 0) to (1, 1): scores at or above `thresholds` are called malignant. All (K,)."""

    thresholds: Floats
    false_positive_rate: Floats
    sensitivity: Floats


def roc_auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a malignant case scores above a benign one, a tie counting half.

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
    rank_sum = midranks(values)[malignant].sum()
    return float(
        (rank_sum - positives * (positives + 1) / 2)
        / (positives * (malignant.size - positives))
    )


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> RocCurve:
    """One point for each distinct score, from the highest down, after (0, 0) at an infinite threshold.

    Parameters
    ----------
    scores : (N,) float
    labels : (N,) bool or 0/1, 1 = malignant
    """
    values, malignant = as_cases(scores, labels)
    thresholds, true_positives, false_positives = _counts_at_or_above(values, malignant)
    return RocCurve(
        thresholds=np.concatenate(([np.inf], thresholds)),
        false_positive_rate=np.concatenate(
            ([0.0], false_positives / false_positives[-1])
        ),
        sensitivity=np.concatenate(([0.0], true_positives / true_positives[-1])),
    )


def youden_cutoff(scores: ArrayLike, labels: ArrayLike) -> float:
    """The cut-off with the greatest sensitivity + specificity - 1; a score at or above it is called malignant.

    It lies half-way between the two neighbouring scores that it parts, so it falls on no case. Where several cut-offs
    are equally good, the lowest is taken: the most sensitive. Choose it on validation data, never on the test set.

    Parameters
    ----------
    scores : (N,) float
    labels : (N,) bool or 0/1, 1 = malignant

    Raises
    ------
    ConstantScores
        All scores are equal.

    Source: Youden, Cancer 3:32 (1950).
    """
    values, malignant = as_cases(scores, labels)
    thresholds, true_positives, false_positives = _counts_at_or_above(values, malignant)
    if thresholds.size == 1:
        raise ConstantScores(count=values.size)
    # In whole numbers, so that equally good cut-offs compare equal.
    youden = (
        true_positives * false_positives[-1] - false_positives * true_positives[-1]
    )[:-1]
    best = int(np.flatnonzero(youden == youden.max())[-1])
    return _between(float(thresholds[best + 1]), float(thresholds[best]))


def _counts_at_or_above(
    values: Floats, malignant: np.ndarray
) -> tuple[Floats, np.ndarray, np.ndarray]:
    """Distinct scores, descending, with the numbers of malignant and benign cases at or above each."""
    distinct, position = np.unique(-values, return_inverse=True)
    size = distinct.size
    true_positives = np.bincount(position[malignant], minlength=size).cumsum()
    false_positives = np.bincount(position[~malignant], minlength=size).cumsum()
    return -distinct, true_positives, false_positives


def _between(low: float, high: float) -> float:
    """The midpoint, or the upper score where the two are neighbouring floats."""
    middle = low + (high - low) / 2
    return middle if middle > low else high
