"""Checks of scores and labels. The positive class is always malignant: label 1 or True."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.statistics.errors import ScoresInvalid, SingleClass

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def as_labels(labels: ArrayLike) -> Flags:
    """Return the labels as flags (N,), True = malignant.

    Parameters
    ----------
    labels : (N,) bool or 0/1

    Raises
    ------
    ScoresInvalid
        A label is neither 0 nor 1, or the labels are not one row.
    """
    values = np.asarray(labels)
    if values.ndim != 1 or values.size == 0:
        raise ScoresInvalid(problem=f"labels have the shape {values.shape}")
    if not np.isin(values, (0, 1)).all():
        raise ScoresInvalid(problem="a label is neither 0 nor 1")
    return values.astype(bool)


def as_cases(
    scores: ArrayLike, labels: ArrayLike, min_per_class: int = 1
) -> tuple[Floats, Flags]:
    """Return the scores (N,) and labels (N,) of the same cases.

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant
    min_per_class : cases that each class must have; 0 allows any mix

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
    negatives = malignant.size - positives
    if min(positives, negatives) < min_per_class:
        raise SingleClass(needed=min_per_class, malignant=positives, benign=negatives)
    return values, malignant
