"""Splitting by patient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from shared.learning.errors import TooFewSamples

MIN_GROUPS = 6
"""Of each class: fewer leave inner folds without one of the classes."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Row numbers to fit on and to judge on."""

    training: NDArray[np.int64]
    test: NDArray[np.int64]


def check_group_counts(malignant: NDArray[np.bool_], groups: NDArray[np.str_]) -> None:
    """Each class needs `MIN_GROUPS` groups (`TooFewSamples`)."""
    benign, positive = (len(set(groups[malignant == label])) for label in (False, True))
    if min(benign, positive) < MIN_GROUPS:
        raise TooFewSamples(benign=benign, malignant=positive, needed=MIN_GROUPS)


def split_folds(
    malignant: NDArray[np.bool_], groups: NDArray[np.str_], count: int, seed: int
) -> list[Fold]:
    """Folds with about the same share of malignant images, no group on both sides; fewer where groups are few.

    Parameters
    ----------
    malignant : (N,) bool
    groups : (N,) str
    """
    scarcest = min(len(set(groups[malignant == label])) for label in (False, True))
    splitter = StratifiedGroupKFold(
        max(min(count, scarcest), 2), shuffle=True, random_state=seed
    )
    rows = np.zeros(len(malignant))
    return [
        Fold(training, test)
        for training, test in splitter.split(rows, malignant, groups)
    ]
