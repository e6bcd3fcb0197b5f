"""SVM and random forest, fitted to give a score that rises with malignancy."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from shared.learning.classifiers.kernels import set_weights
from shared.recipes import (
    Classifier,
    ClassifierKind,
    Forest,
    Kernel,
    NetworkClassifier,
    Svm,
)

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]
Table = NDArray[np.float32]
Settings = dict[str, float | int | str]
"""One combination of a recipe's grid; the keys are the recipe's names."""
FIT_THREADS = min(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1), 4)
"""Number of threads that fit a forest.

It equals the number that the rest of this process may use.
"""


class Scorer(Protocol):
    """A fitted classifier."""

    @property
    def model(self) -> object:
        """The scikit-learn model, which is untyped; None if the features are the score."""
        ...

    def score(self, features: Table) -> Scores:
        """Return scores (N,) on any scale for features (N, D)."""
        ...


@dataclass(frozen=True)
class SvmScorer:
    """Signed distance to the margin, from a pipeline that standardises the features."""

    model: Pipeline

    def score(self, features: Table) -> Scores:
        scores: Scores = self.model.decision_function(features)
        return scores


@dataclass(frozen=True)
class ForestScorer:
    """Mean of the trees' malignant fractions.

    The numbers are those of `predict_proba`. Its checks and its thread pool are skipped, because
    for a single image they take more time than the trees.
    """

    model: RandomForestClassifier

    def score(self, features: Table) -> Scores:
        table = np.ascontiguousarray(features, np.float32)
        if table.shape[1] != self.model.n_features_in_:
            raise ValueError("the forest was fitted on another number of features")
        total = np.zeros(len(table))
        for tree in self.model.estimators_:
            benign, malignant = tree.tree_.predict(table)[:, :2].T
            total += malignant / (benign + malignant)
        return total / len(self.model.estimators_)


@dataclass(frozen=True)
class NetworkScorer:
    """A tuned network's log-odds of malignant, unchanged."""

    model: None = None

    def score(self, features: Table) -> Scores:
        return features[:, 0].astype(np.float64)


SCORERS: dict[ClassifierKind, type[SvmScorer] | type[ForestScorer]] = {
    ClassifierKind.SVM: SvmScorer,
    ClassifierKind.FOREST: ForestScorer,
}
"""The scorers that have a scikit-learn model."""


def grid_settings(classifier: Classifier) -> list[Settings]:
    """Return every combination of the recipe's grid, in its order."""
    if isinstance(classifier, NetworkClassifier):
        return [{}]
    if isinstance(classifier, Forest):
        return [{"min_leaf": leaf} for leaf in classifier.min_leaf]
    grid: list[Settings] = []
    if Kernel.LINEAR in classifier.kernel:
        grid += [{"kernel": "linear", "C": C} for C in classifier.C]
    if Kernel.RBF in classifier.kernel:
        pairs = product(classifier.C, classifier.gamma)
        grid += [{"kernel": "rbf", "C": C, "gamma": gamma} for C, gamma in pairs]
    return grid


def kernel_gamma(settings: Settings) -> float | None:
    """Return gamma of an RBF kernel, in multiples of 1 / number of features.

    It is None for a linear kernel.
    """
    return float(settings["gamma"]) if "gamma" in settings else None


def fit_classifier(
    classifier: Classifier,
    settings: Settings,
    features: Table,
    malignant: Labels,
    seed: int,
    set_widths: Sequence[int] = (),
    weights: Scores | None = None,
) -> SvmScorer | ForestScorer | NetworkScorer:
    """Fit a classifier with one combination of settings.

    Parameters
    ----------
    settings : one of `grid_settings`
    features : (N, D) float32
    malignant : (N,) bool, both classes
    set_widths : columns of each feature set, whose sum is D; by default there is one set
    weights : (N,) of the rows; by default they are equal
    """
    if isinstance(classifier, NetworkClassifier):
        return NetworkScorer()
    if isinstance(classifier, Svm):
        widths = set_widths or (features.shape[1],)
        return _fit_svm(classifier, settings, features, malignant, widths, weights)
    forest = RandomForestClassifier(
        classifier.trees,
        min_samples_leaf=settings["min_leaf"],
        class_weight=_class_weight(classifier),
        n_jobs=FIT_THREADS,
        random_state=seed,
    )
    forest.fit(features, malignant, sample_weight=weights)
    forest.n_jobs = 1
    return ForestScorer(forest)


def svm_options(settings: Settings, classifier: Svm) -> dict[str, Any]:
    """Return the arguments of scikit-learn's SVC, without the kernel's gamma."""
    return {
        "C": settings["C"],
        "kernel": settings["kernel"],
        "class_weight": _class_weight(classifier),
    }


def _fit_svm(
    classifier: Svm,
    settings: Settings,
    features: Table,
    malignant: Labels,
    set_widths: Sequence[int],
    weights: Scores | None,
) -> SvmScorer:
    """Return an SVM whose scaler also gives each feature set its weight."""
    options = svm_options(settings, classifier)
    gamma = kernel_gamma(settings)
    if gamma is not None:
        options["gamma"] = gamma / features.shape[1]
    scaler = StandardScaler().fit(features, sample_weight=weights)
    shares = set_weights(set_widths, classifier.equal_sets)
    scaler.scale_ /= np.sqrt(np.repeat(shares, set_widths))
    svm = SVC(**options)
    svm.fit(scaler.transform(features), malignant, sample_weight=weights)
    return SvmScorer(Pipeline([("standardise", scaler), ("svm", svm)]))


def _class_weight(classifier: Svm | Forest) -> str | None:
    return "balanced" if classifier.balanced else None
