"""The values of one feature set for all images: one table for every fold, or one table per fold."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from shared.learning.features.extractors import Array
from shared.recipes import ClassifierKind


class FoldFeatures(Protocol):
    """The values of one feature set. For a tuned network they also implement `HasFoldLogOdds`."""

    @property
    def is_tuned(self) -> bool:
        """Whether the last column holds the tuned network's own log-odds."""
        ...

    @property
    def digest(self) -> str:
        """A hash of all that determines the values, except the images, the folds' rows and the
        seed.
        """
        ...

    def prepare(self) -> None:
        """Do the long work that all folds share. Raises `TuningDiverged`."""
        ...

    def fold_table(self, fold_index: int) -> Array:
        """Return (N, D) float32, computed without the labels of the fold's test rows."""
        ...

    def final_table(self) -> Array:
        """Return (N, D) float32, computed with all rows, as a bundle does for a new image."""
        ...

    def training_tables(self, fold_index: int | None) -> Sequence["WeightedTable"]:
        """Return the tables whose training rows a fit reads, of a fold or of the final fit."""
        ...


class WeightedTable(NamedTuple):
    """Values (N, D) of all images as a fit reads them in one way, and the weight of each row."""

    values: Array
    weight: float


@runtime_checkable
class HasFoldLogOdds(Protocol):
    """The additional interface of a tuned network's features."""

    def fold_log_odds(self, fold_index: int) -> Array:
        """Return the network's own log-odds (M,) of a fold's test rows."""
        ...


class FixedFeatures:
    """Values that do not depend on any label of the data set.

    Parameters
    ----------
    table : (N, D)
    views : the ways in which a fit reads the images; by default it reads `table`
    """

    is_tuned = False

    def __init__(
        self, digest: str, table: Array, views: Sequence[WeightedTable] = ()
    ) -> None:
        self.digest = digest
        self._table = table
        self._views = views or (WeightedTable(table, weight=1.0),)

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def fold_table(self, fold_index: int) -> Array:
        return self._table

    def final_table(self) -> Array:
        return self._table

    def training_tables(self, fold_index: int | None) -> Sequence[WeightedTable]:
        return self._views


def classifier_input(
    kind: ClassifierKind, tables: Sequence[Array], is_tuned: Sequence[bool]
) -> Array:
    """Return the columns that a classifier of this kind uses, from one or more feature sets.

    The last column of a tuned set, the network's log-odds, is the score of the kind `network`. The
    other kinds do not use it.

    Parameters
    ----------
    tables : (N, D) of each feature set
    is_tuned : for each feature set, whether its last column holds log-odds
    """
    if kind is ClassifierKind.NETWORK:
        return tables[0][:, -1:]
    blocks = []
    for table, tuned in zip(tables, is_tuned, strict=True):
        blocks.append(table[:, :-1] if tuned else table)
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
