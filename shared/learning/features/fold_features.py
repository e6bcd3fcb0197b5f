"""A feature set's numbers for all images of a data set: the same for every fold, or each fold's own."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from shared.learning.features.extractors import Array
from shared.recipes import ClassifierKind


class FoldFeatures(Protocol):
    """The numbers of one feature set; those of tuned networks also have `Verdicts`."""

    @property
    def is_tuned(self) -> bool:
        """Whether the last column is the tuned network's own log-odds."""
        ...

    @property
    def digest(self) -> str:
        """Names all that decides the numbers besides the images, the rows of the folds and the seed."""
        ...

    def prepare(self) -> None:
        """Do the long work that all folds share; raises `TuningDiverged`."""
        ...

    def fold_table(self, number: int) -> Array:
        """(N, D) float32, by what was made without the fold's test rows."""
        ...

    def final_table(self) -> Array:
        """(N, D) float32, by what was made of all rows; what a bundle computes for a new image."""
        ...


@runtime_checkable
class HasFoldLogOdds(Protocol):
    """What columns of tuned networks have besides."""

    def fold_log_odds(self, number: int) -> Array:
        """The network's own log-odds (M,) of a fold's test rows."""
        ...


class FixedFeatures:
    """Numbers in which no label of the data set has a part."""

    is_tuned = False

    def __init__(self, digest: str, table: Array) -> None:
        self.digest = digest
        self._table = table

    def prepare(self) -> None:
        """There is none."""

    def fold_table(self, number: int) -> Array:
        return self._table

    def final_table(self) -> Array:
        return self._table


def classifier_input(kind: ClassifierKind, tables: Sequence[Array], tuned: Sequence[bool]) -> Array:
    """What a classifier of that kind reads of feature sets (N, D) each: their columns side by side.

    A tuned network's log-odds, its last column, are the verdict of `network` and hidden from the others.
    """
    if kind is ClassifierKind.NETWORK:
        return tables[0][:, -1:]
    blocks = [
        table[:, :-1] if own else table
        for table, own in zip(tables, tuned, strict=True)
    ]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
