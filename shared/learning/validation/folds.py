"""Splits a data set into folds by patient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from shared.learning.errors import TooFewSamples

MIN_GROUPS = 6
"""Minimum number of groups of each class. With fewer, an inner fold may lack a class."""


@dataclass(frozen=True, eq=False)
class Fold:
    """The row numbers for training, and the row numbers for the test."""

    training: NDArray[np.int64]
    test: NDArray[np.int64]


def check_group_counts(malignant: NDArray[np.bool_], groups: NDArray[np.str_]) -> None:
    """Raise `TooFewSamples` unless each class has `MIN_GROUPS` groups."""
    benign_count = _count_groups(malignant, groups, label=False)
    malignant_count = _count_groups(malignant, groups, label=True)
    if min(benign_count, malignant_count) < MIN_GROUPS:
        raise TooFewSamples(
            benign=benign_count, malignant=malignant_count, needed=MIN_GROUPS
        )


def split_folds(
    malignant: NDArray[np.bool_], groups: NDArray[np.str_], count: int, seed: int
) -> list[Fold]:
    """Return the folds with about the same share of malignant images; no group is in two folds.

    There are fewer folds than `count` if the rarer class has fewer groups.

    Parameters
    ----------
    malignant : (N,) bool
    groups : (N,) str
    """
    fewest_groups = min(
        _count_groups(malignant, groups, label) for label in (False, True)
    )
    splitter = StratifiedGroupKFold(
        max(min(count, fewest_groups), 2), shuffle=True, random_state=seed
    )
    rows = np.zeros(len(malignant))
    return [
        Fold(training=training, test=test)
        for training, test in splitter.split(rows, malignant, groups)
    ]


def _count_groups(
    malignant: NDArray[np.bool_], groups: NDArray[np.str_], label: bool
) -> int:
    """Return the number of groups with an image of this class."""
    return len(set(groups[malignant == label]))
