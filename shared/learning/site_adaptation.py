"""Features standardised by the statistics of their own site, which need no label.

Another machine shifts and stretches features. If each site's features have mean 0 and deviation 1,
the classifiers see what differs within a site. The statistics of a new site are those of its own
images, so it has no answer before it has sent some.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.learning.errors import TooFewSiteImages
from shared.learning.features.extractors import Array
from shared.learning.features.fold_features import FoldFeatures, WeightedTable

MIN_IMAGES = 50
"""Images from which a site's mean and deviation are taken. With fewer, chance moves them."""

Rows = NDArray[np.int64]


class Adaptation(StrEnum):
    """Which images of the site that is judged give its statistics."""

    WHOLE_SITE = "whole-site"
    """all of them, each image's own values too: transductive"""
    OTHER_HALF = "other-half"
    """those of the other half of its patients"""


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Mean and deviation (D,) of features; the deviation of a constant one is 1."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, table: Array) -> Self:
        """Measure them on the rows of a table (N, D), N > 0."""
        values = np.asarray(table, np.float64)
        deviation = values.std(axis=0)
        deviation[deviation <= np.finfo(np.float32).eps] = 1.0
        return cls(mean=values.mean(axis=0), deviation=deviation)

    def standardise(self, table: Array) -> Array:
        """Return (N, D) float32: in deviations from the mean."""
        standardised: Array = ((table - self.mean) / self.deviation).astype(np.float32)
        return standardised


@dataclass(frozen=True, eq=False)
class SiteStandardisation:
    """Which rows are standardised by the statistics of which.

    Attributes
    ----------
    parts : pairs of rows: those that are standardised, and those that give the statistics
    """

    name: str
    parts: Sequence[tuple[Rows, Rows]]

    def apply(self, table: Array, measured: Array) -> Array:
        """Return the standardised table (N, D) float32; the statistics are those of `measured`."""
        standardised = np.array(table, np.float32)
        for rows, reference in self.parts:
            statistics = FeatureStatistics.of(measured[reference])
            standardised[rows] = statistics.standardise(table[rows])
        return standardised


def standardise_sites(
    sites: NDArray[np.str_],
    site: str,
    groups: NDArray[np.str_],
    adaptation: Adaptation,
    seed: int,
    min_images: int = MIN_IMAGES,
) -> SiteStandardisation:
    """Return how features are standardised where `site` is judged by fits on the other sites.

    Other sites are standardised each by itself, those with fewer than `min_images` images together.

    Parameters
    ----------
    sites : (N,) "" if unknown
    groups : (N,) str, patients, which are not split between halves

    Raises
    ------
    TooFewSiteImages
    """
    judged_rows = np.flatnonzero(sites == site)
    if adaptation is Adaptation.WHOLE_SITE:
        parts = [(judged_rows, judged_rows)]
    else:
        first, second = _halves(judged_rows, groups[judged_rows], seed)
        parts = [(first, second), (second, first)]
    count = min(len(reference) for _, reference in parts)
    if count < min_images:
        raise TooFewSiteImages(count=count, needed=min_images)
    other_sites = [name for name in np.unique(sites) if name not in ("", site)]
    small_sites = [name for name in other_sites if (sites == name).sum() < min_images]
    training = [
        np.flatnonzero(sites == name) for name in other_sites if name not in small_sites
    ]
    if small_sites:
        training.append(np.flatnonzero(np.isin(sites, small_sites)))
    parts += [(rows, rows) for rows in training]
    return SiteStandardisation(name=f"by site, {adaptation}", parts=parts)


def _halves(rows: Rows, groups: NDArray[np.str_], seed: int) -> tuple[Rows, Rows]:
    """Return two halves of the rows by patient, drawn at random."""
    names = np.unique(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    is_first = np.isin(groups, names[order[: len(names) // 2]])
    return rows[is_first], rows[~is_first]


class AdaptedFeatures:
    """Features, of no tuned network, of which each site is standardised by itself."""

    is_tuned = False

    def __init__(
        self, features: FoldFeatures, standardisation: SiteStandardisation
    ) -> None:
        self.digest = f"{features.digest}, standardised {standardisation.name}"
        self._features = features
        self._standardisation = standardisation

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def fold_table(self, fold_index: int) -> Array:
        return self._table

    def final_table(self) -> Array:
        return self._table

    def training_tables(self, fold_index: int | None) -> Sequence[WeightedTable]:
        return self._training_tables

    @cached_property
    def _table(self) -> Array:
        own = self._features.final_table()
        return self._standardisation.apply(own, measured=own)

    @cached_property
    def _training_tables(self) -> Sequence[WeightedTable]:
        own = self._features.final_table()
        return [
            WeightedTable(self._standardisation.apply(values, measured=own), weight)
            for values, weight in self._features.training_tables(None)
        ]
