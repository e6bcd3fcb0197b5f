"""Out-of-fold scores: every image judged by a classifier that saw neither it nor its patient."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.learning.classifiers import Labels, Scores, Settings, Table, candidates, fit_classifier
from shared.learning.folds import Fold, split
from shared.recipes import Classifier
from shared.statistics import Sigmoid, fit_sigmoid, roc_auc


@dataclass(frozen=True)
class Trial:
    """What a classifier is judged on: the labels, the groups, inner folds and the seed."""

    malignant: Labels
    groups: np.ndarray
    inner_folds: int
    seed: int


def out_of_fold(classifier: Classifier, features: Table, trial: Trial, folds: Sequence[Fold]) -> Scores:
    """Scores (N,) by nested cross-validation: settings are chosen anew inside the training part of each fold."""
    scores = np.zeros(len(features))
    for fold in folds:
        scores[fold.test] = _judge(
            classifier, choose(classifier, features, trial, fold.training), features, trial, fold
        )
    return scores


def choose(classifier: Classifier, features: Table, trial: Trial, rows: np.ndarray) -> Settings:
    """The settings with the best AUC over inner folds of these rows; the first of equals."""
    options = candidates(classifier)
    if len(options) == 1:
        return options[0]
    malignant, groups = trial.malignant[rows], trial.groups[rows]
    inner = [Fold(rows[f.training], rows[f.test]) for f in split(malignant, groups, trial.inner_folds, trial.seed)]
    return max(options, key=lambda settings: _inner_auc(classifier, settings, features, trial, inner))


def _inner_auc(
    classifier: Classifier, settings: Settings, features: Table, trial: Trial, folds: Sequence[Fold]
) -> float:
    scores = [_judge(classifier, settings, features, trial, fold) for fold in folds]
    labels = np.concatenate([trial.malignant[fold.test] for fold in folds])
    return roc_auc(np.concatenate(scores), labels)


def _judge(classifier: Classifier, settings: Settings, features: Table, trial: Trial, fold: Fold) -> Scores:
    rows = fold.training
    scorer = fit_classifier(classifier, settings, features[rows], trial.malignant[rows], trial.seed)
    return scorer.score(features[fold.test])


def cross_fitted(scores: Scores, malignant: Labels, folds: Sequence[Fold]) -> Scores:
    """Out-of-fold scores -> probabilities, each fold calibrated on the other folds' scores alone."""
    calibrated = np.zeros(len(scores))
    for fold in folds:
        sigmoid: Sigmoid = fit_sigmoid(scores[fold.training], malignant[fold.training])
        calibrated[fold.test] = sigmoid.apply(scores[fold.test])
    return calibrated
