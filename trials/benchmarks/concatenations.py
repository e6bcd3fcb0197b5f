"""Compares the shared fit of all 57 concatenations of six feature sets with fitting each of them
from scratch, by SVM and by forest.

    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.concatenations [--images 594] [--folds 1]

The features are random numbers, as wide as the six feature sets of L19, so that only the work
counts. Both ways follow one protocol: standardise on the training rows, choose among the grid on
inner folds, fit, score. The direct way fits one concatenation of each size; its time is multiplied
by the number of concatenations of that size. `shared.learning` fits all of them. Only the ratio
counts.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from shared.learning import NoCache, ignore_progress
from shared.learning.classifiers.classifiers import (
    Settings,
    fit_classifier,
    grid_settings,
)
from shared.learning.features.fold_features import FixedFeatures
from shared.learning.validation.cross_validation import (
    CrossValidation,
    score_out_of_fold,
)
from shared.learning.validation.folds import Fold, split_folds
from shared.recipes import Classifier, ComponentSpec, Svm, load_recipe
from shared.statistics import roc_auc

Table = NDArray[np.float32]
Scores = NDArray[np.float64]

WIDTHS = (4096, 4096, 4096, 4096, 2048, 2048)
SIZES = range(2, len(WIDTHS) + 1)


def main(images: int, folds: int) -> None:
    """Print seconds of both ways, by classifier and together, and their ratios."""
    recipe = load_recipe("lee2019")
    random = np.random.default_rng(0)
    malignant = np.arange(images) % 2 == 0
    tables = [
        random.normal(0.05 * malignant[:, None], 1, (images, width)).astype(np.float32)
        for width in WIDTHS
    ]
    groups = np.array([str(row) for row in range(images)])
    outer_folds = split_folds(malignant, groups, recipe.validation.folds, 0)
    cross_validation = CrossValidation(
        malignant=malignant,
        groups=groups,
        folds=outer_folds[:folds],
        inner_folds=5,
        seed=0,
        fingerprint="random numbers",
    )
    print(
        f"{images} images, {folds} of 6 folds; 57 concatenations of sets of {WIDTHS} features"
    )
    total_shared_s = 0.0
    total_direct_s = 0.0
    for classifier in recipe.classifiers:
        shared_s = measure_s(
            partial(fit_together, tables, cross_validation, classifier)
        )
        direct_s = measure_all_from_scratch_s(tables, cross_validation, classifier)
        total_shared_s += shared_s
        total_direct_s += direct_s
        report(classifier.kind, shared_s=shared_s, direct_s=direct_s)
    report("both", shared_s=total_shared_s, direct_s=total_direct_s)


def fit_together(
    tables: Sequence[Table], cross_validation: CrossValidation, classifier: Classifier
) -> None:
    """Score all concatenations by the way of `shared.learning`."""
    components = [
        ComponentSpec(feature_sets, classifier)
        for size in SIZES
        for feature_sets in combinations(range(len(tables)), size)
    ]
    features = [FixedFeatures(str(index), table) for index, table in enumerate(tables)]
    score_out_of_fold(
        components=components,
        features=features,
        cross_validation=cross_validation,
        cache=NoCache(),
        progress=ignore_progress,
    )


def measure_all_from_scratch_s(
    tables: Sequence[Table], cross_validation: CrossValidation, classifier: Classifier
) -> float:
    """Seconds for all concatenations, estimated from one of each size."""
    total_s = 0.0
    for size in SIZES:
        work = partial(fit_from_scratch, tables[-size:], cross_validation, classifier)
        total_s += comb(len(tables), size) * measure_s(work)
    return total_s


def fit_from_scratch(
    tables: Sequence[Table], cross_validation: CrossValidation, classifier: Classifier
) -> None:
    """Choose the settings on inner folds, fit and score one concatenation in each outer fold."""
    features = np.concatenate(tables, 1)
    for fold in cross_validation.folds:
        scaler = StandardScaler().fit(features[fold.training])
        standardised = scaler.transform(features)
        inner_folds = split_folds(
            cross_validation.malignant[fold.training],
            cross_validation.groups[fold.training],
            cross_validation.inner_folds,
            cross_validation.seed,
        )
        # Row numbers of an inner fold count within the training rows of the outer fold.
        inner_folds_of_table = [
            Fold(
                training=fold.training[inner_fold.training],
                test=fold.training[inner_fold.test],
            )
            for inner_fold in inner_folds
        ]
        fit = DirectFit(classifier, standardised, cross_validation)
        fit.score(fit.best_settings(inner_folds_of_table), fold)


class DirectFit:
    """Fits a classifier to one standardised table, each time from scratch."""

    def __init__(
        self, classifier: Classifier, table: Table, cross_validation: CrossValidation
    ) -> None:
        self._classifier = classifier
        self._table = table
        self._malignant = cross_validation.malignant
        self._seed = cross_validation.seed

    def best_settings(self, folds: Sequence[Fold]) -> Settings:
        """The settings of the grid with the largest AUC over the folds."""
        grid = grid_settings(self._classifier)
        if len(grid) == 1:
            return grid[0]
        return max(grid, key=lambda settings: self._auc(settings, folds))

    def score(self, settings: Settings, fold: Fold) -> Scores:
        """Fit on the training rows; the scores of the test rows."""
        table = self._table[fold.training]
        malignant = self._malignant[fold.training]
        if not isinstance(self._classifier, Svm):
            scorer = fit_classifier(
                classifier=self._classifier,
                settings=settings,
                features=table,
                malignant=malignant,
                seed=self._seed,
            )
            return np.asarray(scorer.score(self._table[fold.test]))
        options = dict(settings)
        if "gamma" in options:
            options["gamma"] = float(options["gamma"]) / table.shape[1]
        svm = SVC(**options).fit(table, malignant)
        return np.asarray(svm.decision_function(self._table[fold.test]))

    def _auc(self, settings: Settings, folds: Sequence[Fold]) -> float:
        scores = np.concatenate([self.score(settings, fold) for fold in folds])
        labels = np.concatenate([self._malignant[fold.test] for fold in folds])
        return roc_auc(scores, labels)


def measure_s(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(name: str, *, shared_s: float, direct_s: float) -> None:
    print(
        f"{name:8} shared {shared_s:8.1f} s   from scratch {direct_s:9.1f} s   ratio "
        f"{direct_s / shared_s:6.1f}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=594)
    parser.add_argument("--folds", type=int, default=1)
    main(**vars(parser.parse_args()))
