"""The folds within a fit's training rows on which its settings are chosen.

Where the training rows come from two sites or more, each site is judged in turn by fits on the
others. So settings that recognise one machine's pictures are not preferred.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.learning.classifiers.classifiers import Labels, Scores
from shared.learning.errors import TooFewSamples
from shared.learning.validation.folds import Fold, check_group_counts, split_folds
from shared.statistics import roc_auc

MIN_SITES = 2
"""Number of sites that can be left out from which settings are chosen by site."""


@dataclass(frozen=True, eq=False)
class InnerFolds:
    """Folds of a fit's training rows.

    Attributes
    ----------
    by_site : each fold's test rows are whole sites. Rows that no fold tests are of sites too small
        to be judged, or of no known site
    """

    folds: Sequence[Fold]
    by_site: bool

    def area(self, scores: Scores, malignant: Labels) -> float:
        """Return the AUC of the scores (N,) of the test rows.

        By site it is the mean of the folds' AUCs, weighted by their pairs of a malignant and a
        benign image, because models of different sites share no scale.
        """
        if not self.by_site:
            return roc_auc(scores, malignant)
        areas = []
        pair_counts = []
        for fold in self.folds:
            labels = malignant[fold.test]
            areas.append(roc_auc(scores[fold.test], labels))
            pair_counts.append(int(labels.sum()) * int((~labels).sum()))
        return float(np.average(areas, weights=pair_counts))


def split_inner_folds(
    malignant: Labels,
    groups: NDArray[np.str_],
    sites: NDArray[np.str_] | None,
    count: int,
    seed: int,
) -> InnerFolds:
    """Return folds by site where that is possible, otherwise by patient.

    A site can be judged if it has enough patients of each class (`check_group_counts`). With fewer
    than `MIN_SITES` such sites, or if the other sites are too small to train on, the folds are by
    patient. Rows without a site are in no fold by site, because they may come from any.

    Parameters
    ----------
    malignant : (N,) bool
    groups : (N,) str, never split
    sites : (N,) "" if unknown; None if no site is known
    count : maximum number of folds. More sites than that are judged several in a fold
    """
    folds = [] if sites is None else _site_folds(malignant, groups, sites, count)
    if len(folds) >= MIN_SITES:
        return InnerFolds(folds=folds, by_site=True)
    folds = split_folds(malignant, groups=groups, count=count, seed=seed)
    return InnerFolds(folds=folds, by_site=False)


def _site_folds(
    malignant: Labels,
    groups: NDArray[np.str_],
    sites: NDArray[np.str_],
    count: int,
) -> list[Fold]:
    rows_by_site = {
        str(site): np.flatnonzero(sites == site) for site in np.unique(sites) if site
    }
    judged_sites = [
        site
        for site, rows in rows_by_site.items()
        if _has_enough(malignant, groups, rows)
    ]
    folds = []
    for test in _spread(
        [rows_by_site[site] for site in judged_sites], max(count, MIN_SITES)
    ):
        is_elsewhere = ~np.isin(sites, sites[test]) & (sites != "")
        has_patient_here = np.isin(groups, groups[test])
        training = np.flatnonzero(is_elsewhere & ~has_patient_here)
        if _has_enough(malignant, groups, training):
            folds.append(Fold(training=training, test=test))
    return folds


def _has_enough(
    malignant: Labels, groups: NDArray[np.str_], rows: NDArray[np.int64]
) -> bool:
    try:
        check_group_counts(malignant[rows], groups[rows])
    except TooFewSamples:
        return False
    return True


def _spread(sites: Sequence[NDArray[np.int64]], count: int) -> list[NDArray[np.int64]]:
    """Return the rows of the sites in at most `count` parts of about the same size."""
    parts: list[list[NDArray[np.int64]]] = [[] for _ in range(min(count, len(sites)))]
    for rows in sorted(sites, key=len, reverse=True):
        smallest = min(parts, key=lambda part: sum(map(len, part)))
        smallest.append(rows)
    return [np.sort(np.concatenate(part)) for part in parts]
