"""All 57 concatenations of six feature sets, read by SVM and forest, against fitting each of them
from scratch.

    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.concatenations [--images 594] [--folds 1]

Random features of the widths of L19's six, so that only the work counts. Both ways follow one
protocol: standardise on the training rows, choose among the grid on inner folds, fit, score. The
direct way fits one concatenation of each size and is scaled up by how many of that size there are;
the way of `shared.learning` fits them all. Only the ratio counts.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from shared.learning import NoCache, ignore_progress
from shared.learning.classifiers.classifiers import fit_classifier, grid_settings
from shared.learning.features.fold_features import FixedFeatures
from shared.learning.validation.cross_validation import (
    CrossValidation,
    score_out_of_fold,
)
from shared.learning.validation.folds import Fold, split_folds
from shared.recipes import Classifier, Svm, load_recipe
from shared.statistics import roc_auc

WIDTHS = (4096, 4096, 4096, 4096, 2048, 2048)
SIZES = range(2, len(WIDTHS) + 1)


def main(images: int, folds: int) -> None:
    """Print seconds of both ways, by classifier and together, and their ratios."""
    random = np.random.default_rng(0)
    malignant = np.arange(images) % 2 == 0
    tables = [
        random.normal(0.05 * malignant[:, None], 1, (images, width)).astype(np.float32)
        for width in WIDTHS
    ]
    groups = np.array([str(row) for row in range(images)])
    outer = split_folds(malignant, groups, load_recipe("lee2019").validation.folds, 0)[
        :folds
    ]
    trial = CrossValidation(malignant, groups, outer, 5, 0, "random numbers")
    print(
        f"{images} images, {folds} of 6 folds; 57 concatenations of sets of {WIDTHS} features"
    )
    totals = np.zeros(2)
    for classifier in load_recipe("lee2019").classifiers:
        taken = np.array(
            [
                timed(lambda c=classifier: shared(tables, trial, c)),
                directly(tables, trial, classifier),
            ]
        )
        totals += taken
        report(classifier.kind, *taken)
    report("both", *totals)


def shared(
    tables: Sequence[np.ndarray], trial: CrossValidation, classifier: Classifier
) -> None:
    readings = [
        (sets, classifier)
        for size in SIZES
        for sets in combinations(range(len(tables)), size)
    ]
    score_out_of_fold(
        readings,
        [FixedFeatures(str(place), table) for place, table in enumerate(tables)],
        trial,
        NoCache(),
        ignore_progress,
    )


def directly(
    tables: Sequence[np.ndarray], trial: CrossValidation, classifier: Classifier
) -> float:
    """Seconds for all, from one of each size."""
    return sum(
        comb(len(tables), size)
        * timed(lambda size=size: from_scratch(tables[-size:], trial, classifier))
        for size in SIZES
    )


def from_scratch(
    tables: Sequence[np.ndarray], trial: CrossValidation, classifier: Classifier
) -> None:
    for fold in trial.folds:
        table = (
            StandardScaler()
            .fit(np.concatenate(tables, 1)[fold.training])
            .transform(np.concatenate(tables, 1))
        )
        labels = trial.malignant[fold.training]
        inner = split_folds(
            labels, trial.groups[fold.training], trial.inner_folds, trial.seed
        )
        options = grid_settings(classifier)
        best = (
            max(
                options,
                key=lambda s: inner_area(classifier, s, table, trial, fold, inner),
            )
            if options[1:]
            else options[0]
        )
        scores(classifier, best, table, trial, fold)


def inner_area(
    classifier: Classifier,
    settings: dict,
    table: np.ndarray,
    trial: CrossValidation,
    fold: Fold,
    inner: Sequence[Fold],
) -> float:
    parts = [
        Fold(fold.training[part.training], fold.training[part.test]) for part in inner
    ]
    found = np.concatenate(
        [scores(classifier, settings, table, trial, part) for part in parts]
    )
    return roc_auc(
        found, np.concatenate([trial.malignant[part.test] for part in parts])
    )


def scores(
    classifier: Classifier,
    settings: dict,
    table: np.ndarray,
    trial: CrossValidation,
    fold: Fold,
) -> np.ndarray:
    if not isinstance(classifier, Svm):
        scorer = fit_classifier(
            classifier,
            settings,
            table[fold.training],
            trial.malignant[fold.training],
            trial.seed,
        )
        return scorer.score(table[fold.test])
    options = (
        {**settings, "gamma": settings["gamma"] / table.shape[1]}
        if "gamma" in settings
        else settings
    )
    return (
        SVC(**options)
        .fit(table[fold.training], trial.malignant[fold.training])
        .decision_function(table[fold.test])
    )


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(name: str, ours: float, direct: float) -> None:
    print(
        f"{name:8} shared {ours:8.1f} s   from scratch {direct:9.1f} s   ratio "
        f"{direct / ours:6.1f}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=594)
    parser.add_argument("--folds", type=int, default=1)
    main(**vars(parser.parse_args()))
