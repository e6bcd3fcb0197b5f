"""Scores with their labels, checked once. The positive class is always malignant: label 1 or True."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.statistics.errors import ScoresInvalid, SingleClass

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def as_labels(labels: ArrayLike) -> Flags:
    """Labels as flags, True = malignant.

    Parameters
    ----------
    labels : (N,) bool or 0/1

    Raises
    ------
    ScoresInvalid
        A label is neither 0 nor 1, or they are not one row.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or given.size == 0:
        raise ScoresInvalid(problem=f"labels have the shape {given.shape}")
    if not np.isin(given, (0, 1)).all():
        raise ScoresInvalid(problem="a label is neither 0 nor 1")
    return given.astype(bool)


def as_cases(
    scores: ArrayLike, labels: ArrayLike, min_per_class: int = 1
) -> tuple[Floats, Flags]:
    """Scores and labels of the same cases, with at least `needed` of each class (0: any mix will do).

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant

    Raises
    ------
    ScoresInvalid, SingleClass
    """
    malignant = as_labels(labels)
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != malignant.shape:
        raise ScoresInvalid(
            problem=f"scores have the shape {values.shape}, labels {malignant.shape}"
        )
    if not np.isfinite(values).all():
        raise ScoresInvalid(problem="a score is not finite")
    positives = int(malignant.sum())
    if min(positives, malignant.size - positives) < min_per_class:
        raise SingleClass(
            needed=min_per_class, malignant=positives, benign=malignant.size - positives
        )
    return values, malignant
