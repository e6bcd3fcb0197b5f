"""SVM and random forest, each a score that rises with malignancy."""

import os
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from shared.recipes import Classifier, ClassifierKind, Forest, NetworkClassifier, Kernel, Svm

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]
Table = NDArray[np.float32]
Settings = dict[str, float | int | str]
"""One combination of a recipe's grid, by the recipe's names."""
FIT_THREADS = min(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1), 4)
"""Threads of a forest's fit: as many as everything else in this process may use."""


class Scorer(Protocol):
    """A fitted classifier."""

    @property
    def model(self) -> Any:
        """scikit-learn's, which is untyped; None where the features are the score."""
        ...

    def score(self, features: Table) -> Scores:
        """(N, D) features -> (N,) scores, any scale."""
        ...


@dataclass(frozen=True)
class SvmScorer:
    """Signed distance to the margin of a standardising pipeline."""

    model: Pipeline

    def score(self, features: Table) -> Scores:
        scores: Scores = self.model.decision_function(features)
        return scores


@dataclass(frozen=True)
class ForestScorer:
    """Mean of the trees' malignant fractions.

    The same numbers as `predict_proba`, without its checks and thread pool, which for one image cost more than the
    trees do.
    """

    model: RandomForestClassifier

    def score(self, features: Table) -> Scores:
        table = np.ascontiguousarray(features, np.float32)
        total = np.zeros(len(table))
        for tree in self.model.estimators_:
            benign, malignant = tree.tree_.predict(table)[:, :2].T
            total += malignant / (benign + malignant)
        return total / len(self.model.estimators_)


@dataclass(frozen=True)
class NetworkScorer:
    """A tuned network's log-odds of malignant, as they are."""

    model: None = None

    def score(self, features: Table) -> Scores:
        return features[:, 0].astype(np.float64)


SCORERS: dict[ClassifierKind, type[SvmScorer] | type[ForestScorer]] = {
    ClassifierKind.SVM: SvmScorer,
    ClassifierKind.FOREST: ForestScorer,
}
"""Of those with a model of their own."""


def grid_settings(classifier: Classifier) -> list[Settings]:
    """Every combination of the recipe's grid, in its order."""
    if isinstance(classifier, NetworkClassifier):
        return [{}]
    if isinstance(classifier, Forest):
        return [{"min_leaf": leaf} for leaf in classifier.min_leaf]
    options: list[Settings] = []
    if Kernel.LINEAR in classifier.kernel:
        options += [{"kernel": "linear", "C": C} for C in classifier.C]
    if Kernel.RBF in classifier.kernel:
        grid = product(classifier.C, classifier.gamma)
        options += [{"kernel": "rbf", "C": C, "gamma": gamma} for C, gamma in grid]
    return options


def kernel_gamma(settings: Settings) -> float | None:
    """Of an RBF kernel, in multiples of 1 / number of features; None of a linear one."""
    return float(settings["gamma"]) if "gamma" in settings else None


def fit_classifier(
    classifier: Classifier,
    settings: Settings,
    features: Table,
    malignant: Labels,
    seed: int,
) -> SvmScorer | ForestScorer | NetworkScorer:
    """Fit with one combination of settings.

    Parameters
    ----------
    settings : one of `candidates`
    features : (N, D) float32
    malignant : (N,) bool, both classes
    """
    if isinstance(classifier, NetworkClassifier):
        return NetworkScorer()
    if isinstance(classifier, Svm):
        return _fit_svm(settings, features, malignant, classifier)
    weight = _weight(classifier)
    forest = RandomForestClassifier(
        classifier.trees,
        min_samples_leaf=settings["min_leaf"],
        class_weight=weight,
        n_jobs=FIT_THREADS,
        random_state=seed,
    ).fit(features, malignant)
    forest.n_jobs = 1
    return ForestScorer(forest)


def svm_options(settings: Settings, classifier: Svm) -> dict[str, Any]:
    """What scikit-learn's SVC takes, the kernel's width left out."""
    return {
        "C": settings["C"],
        "kernel": settings["kernel"],
        "class_weight": _weight(classifier),
    }


def _fit_svm(
    settings: Settings, features: Table, malignant: Labels, classifier: Svm
) -> SvmScorer:
    options = svm_options(settings, classifier)
    gamma = kernel_gamma(settings)
    if gamma is not None:
        options["gamma"] = gamma / features.shape[1]
    return SvmScorer(
        Pipeline([("standardise", StandardScaler()), ("svm", SVC(**options))]).fit(
            features, malignant
        )
    )


def _weight(classifier: Svm | Forest) -> str | None:
    return "balanced" if classifier.balanced else None
