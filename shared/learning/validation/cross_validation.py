"""Nested cross-validation: each image is scored by classifiers fitted without its patient."""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC

from shared.domain.messages import Message
from shared.learning.classifiers.classifiers import (
    Labels,
    Scorer,
    Scores,
    Settings,
    Table,
    fit_classifier,
    grid_settings,
    kernel_gamma,
    svm_options,
)
from shared.learning.classifiers.kernels import GramMatrices, Matrix, Rows
from shared.learning.features.cache import FeatureCache
from shared.learning.features.fold_features import (
    FoldFeatures,
    HasFoldLogOdds,
    WeightedTable,
    classifier_input,
)
from shared.learning.features.stacked_rows import StackedRows, stack
from shared.learning.progress import ProgressCallback, report_part
from shared.learning.validation.folds import Fold
from shared.learning.validation.inner_folds import InnerFolds, split_inner_folds
from shared.recipes import (
    ClassifierKind,
    ComponentSpec,
    NetworkClassifier,
    Svm,
)
from shared.statistics import Sigmoid, fit_sigmoid


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """The labels, groups and folds that all components of a data set are validated on.

    Attributes
    ----------
    malignant : (N,) bool
    groups : (N,) str, never split
    folds : outer folds, for the reported metrics
    inner_folds : number of folds within the training rows, for the choice among a grid
    fingerprint : a hash of the images, their labels and sites, in order
    sites : (N,) "" if unknown; settings are chosen by site where several are known
    """

    malignant: Labels
    groups: NDArray[np.str_]
    folds: Sequence[Fold]
    inner_folds: int
    seed: int
    fingerprint: str
    sites: NDArray[np.str_] | None = None


@dataclass(frozen=True, eq=False)
class OutOfFoldScores:
    """Scores (N,) of one component on any scale, and the settings that each fold chose."""

    scores: Scores
    settings: tuple[Settings, ...]


def score_out_of_fold(
    components: Sequence[ComponentSpec],
    features: Sequence[FoldFeatures],
    cross_validation: CrossValidation,
    cache: FeatureCache,
    progress: ProgressCallback,
) -> list[OutOfFoldScores]:
    """Score each component by nested cross-validation. Every fold chooses its own settings.

    Scores in `cache` are not computed again, so an interrupted run continues after the stored
    scores.

    Parameters
    ----------
    features : the feature sets to which the components' indices refer
    """
    folds = cross_validation.folds
    scores = [np.zeros(len(cross_validation.malignant)) for _ in components]
    settings: list[list[Settings]] = [[] for _ in components]
    for number, fold in enumerate(folds):
        results = score_fold(
            number,
            components=components,
            features=features,
            cross_validation=cross_validation,
            cache=cache,
            progress=report_part(progress, number, len(folds)),
        )
        for index, (fold_scores, fold_settings) in enumerate(results):
            scores[index][fold.test] = fold_scores
            settings[index].append(fold_settings)
    return [
        OutOfFoldScores(scores=component_scores, settings=tuple(component_settings))
        for component_scores, component_settings in zip(scores, settings, strict=True)
    ]


def score_fold(
    fold_index: int,
    components: Sequence[ComponentSpec],
    features: Sequence[FoldFeatures],
    cross_validation: CrossValidation,
    cache: FeatureCache,
    progress: ProgressCallback,
) -> list[tuple[Scores, Settings]]:
    """Return each component's scores of one fold's test rows, with the settings it chose.

    The scores are stored in `cache`.
    """
    results = []
    with FoldEvaluator(features, cross_validation, fold_index) as evaluator:
        for component in components:
            results.append(_cached_scores(evaluator, component, cache))
            facts = {"fold": fold_index + 1, "folds": len(cross_validation.folds)}
            message = Message("progress-fold", facts)
            progress("readers", len(results) / len(components), message, {})
    return results


class FoldEvaluator:
    """Fits and scores classifiers on one fold, and holds its feature tables and Gram matrices.

    Parameters
    ----------
    fold_index : index of the fold; None for the final fit, which trains on all rows and has no test
        rows
    """

    def __init__(
        self,
        features: Sequence[FoldFeatures],
        cross_validation: CrossValidation,
        fold_index: int | None,
    ) -> None:
        self._features = features
        self._cross_validation = cross_validation
        self._fold_index = fold_index
        self._tables: dict[int, Table] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="sera-gram-")
        self._gram_matrices = GramMatrices(Path(self._folder.name))
        self._inner_folds: InnerFolds | None = None
        if fold_index is None:
            all_rows = np.arange(len(cross_validation.malignant))
            self.fold = Fold(training=all_rows, test=all_rows[:0])
        else:
            self.fold = cross_validation.folds[fold_index]

    def __enter__(self) -> "FoldEvaluator":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def score(self, component: ComponentSpec) -> tuple[Scores, Settings]:
        """Return the scores of the test rows, and the settings chosen on the training rows."""
        feature_sets, classifier = component
        if isinstance(classifier, NetworkClassifier):
            return self._network_scores(feature_sets[0]), {}
        settings = self.choose_settings(component)
        if isinstance(classifier, Svm):
            return self._svm_scores(feature_sets, classifier, settings), settings
        test_rows = classifier_input(
            classifier.kind,
            tables=[self._table(index)[self.fold.test] for index in feature_sets],
            is_tuned=[self._features[index].is_tuned for index in feature_sets],
        )
        return self.fit(component, settings).score(test_rows), settings

    def fit(self, component: ComponentSpec, settings: Settings) -> Scorer:
        """Fit a classifier on the training rows."""
        feature_sets, classifier = component
        rows = self._stacked(feature_sets)
        inputs = [
            self._training_input((index,), classifier.kind) for index in feature_sets
        ]
        return fit_classifier(
            classifier,
            settings=settings,
            features=inputs[0] if len(inputs) == 1 else np.concatenate(inputs, axis=1),
            malignant=rows.repeat(self._training_labels),
            seed=self._cross_validation.seed,
            set_widths=[table.shape[1] for table in inputs],
            weights=rows.weights,
        )

    def choose_settings(self, component: ComponentSpec) -> Settings:
        """Return the settings with the best AUC over inner folds of the training rows.

        The folds are sites where the rows have several (`split_inner_folds`). If several AUCs are
        equal, the first settings of the grid are chosen.
        """
        grid = grid_settings(component.classifier)
        if len(grid) == 1:
            return grid[0]
        areas = self._inner_areas(component, grid)
        return grid[int(np.argmax(areas))]

    def cache_key(self, component: ComponentSpec) -> str:
        """Return a key of everything that determines the fold's scores, or the final fit."""
        feature_sets, classifier = component
        rows = np.concatenate([self.fold.training, [-1], self.fold.test])
        facts = {
            "columns": [self._features[index].digest for index in feature_sets],
            "classifier": asdict(classifier),
            "data": self._cross_validation.fingerprint,
            "rows": hashlib.sha256(rows.tobytes()).hexdigest(),
            "inner": self._cross_validation.inner_folds,
            "seed": self._cross_validation.seed,
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return f"fits/{digest}" if self._fold_index is None else f"scores/{digest}"

    @property
    def _training_labels(self) -> Labels:
        return self._cross_validation.malignant[self.fold.training]

    def _network_scores(self, feature_set: int) -> Scores:
        features = self._features[feature_set]
        if self._fold_index is None or not isinstance(features, HasFoldLogOdds):
            raise TypeError(
                "only a tuned network has log-odds, and only of a fold's test rows"
            )
        return features.fold_log_odds(self._fold_index).astype(np.float64)

    def _table(self, feature_set: int) -> Table:
        if feature_set not in self._tables:
            features = self._features[feature_set]
            if self._fold_index is None:
                self._tables[feature_set] = features.final_table()
            else:
                self._tables[feature_set] = features.fold_table(self._fold_index)
        return self._tables[feature_set]

    def _training_tables(self, feature_set: int) -> Sequence[WeightedTable]:
        return self._features[feature_set].training_tables(self._fold_index)

    def _stacked(self, feature_sets: tuple[int, ...]) -> StackedRows:
        """Return the rows of the training images, which all these feature sets have in common."""
        weights = {
            tuple(table.weight for table in self._training_tables(index))
            for index in feature_sets
        }
        if len(weights) > 1:
            raise ValueError("a classifier reads feature sets with different views")
        return StackedRows(weights.pop(), len(self.fold.training))

    def _training_input(
        self, feature_sets: tuple[int, ...], kind: ClassifierKind
    ) -> Table:
        return classifier_input(
            kind,
            tables=[
                stack(self._training_tables(index), self.fold.training)
                for index in feature_sets
            ],
            is_tuned=[self._features[index].is_tuned for index in feature_sets],
        )

    def _split_inner_folds(self) -> InnerFolds:
        """Return the inner folds, as positions among the training rows."""
        if self._inner_folds is None:
            validation = self._cross_validation
            rows = self.fold.training
            self._inner_folds = split_inner_folds(
                self._training_labels,
                groups=validation.groups[rows],
                sites=None if validation.sites is None else validation.sites[rows],
                count=validation.inner_folds,
                seed=validation.seed,
            )
        return self._inner_folds

    def _inner_areas(
        self, component: ComponentSpec, grid: Sequence[Settings]
    ) -> list[float]:
        """Return the AUC of each combination of settings over the inner folds."""
        feature_sets, classifier = component
        if isinstance(classifier, Svm):
            return self._inner_svm_areas(feature_sets, classifier, grid)
        table = self._training_input(feature_sets, classifier.kind)
        rows = self._stacked(feature_sets)
        areas = []
        for settings in grid:
            scores = np.zeros(len(self._training_labels))
            for inner in self._split_inner_folds().folds:
                scorer = fit_classifier(
                    classifier,
                    settings=settings,
                    features=table[rows.rows(inner.training)],
                    malignant=rows.repeat(self._training_labels[inner.training]),
                    seed=self._cross_validation.seed,
                    weights=rows.weights_of(inner.training),
                )
                inner_scores = scorer.score(table[rows.rows(inner.test)])
                scores[inner.test] = rows.merge(inner_scores)
            area = self._split_inner_folds().area(scores, self._training_labels)
            areas.append(area)
        return areas

    def _inner_svm_areas(
        self,
        feature_sets: tuple[int, ...],
        classifier: Svm,
        grid: Sequence[Settings],
    ) -> list[float]:
        """Compute the inner AUCs of an SVM.

        Settings with the same gamma share one kernel matrix.
        """
        rows = self._stacked(feature_sets)
        areas: dict[int, float] = {}
        for gamma in dict.fromkeys(map(kernel_gamma, grid)):
            kernel = TrainingKernel(
                self._grams(feature_sets).training_kernel(
                    feature_sets, gamma, classifier.equal_sets
                ),
                rows,
            )
            for index, settings in enumerate(grid):
                if kernel_gamma(settings) == gamma:
                    areas[index] = self._inner_area(kernel, settings, classifier)
        return [areas[index] for index in range(len(grid))]

    def _inner_area(
        self, kernel: "TrainingKernel", settings: Settings, classifier: Svm
    ) -> float:
        labels = self._training_labels
        scores = np.zeros(len(labels))
        for inner in self._split_inner_folds().folds:
            svm = kernel.fit(inner.training, labels, settings, classifier)
            scores[inner.test] = kernel.score(svm, inner.test, inner.training)
        return self._split_inner_folds().area(scores, labels)

    def _svm_scores(
        self, feature_sets: tuple[int, ...], classifier: Svm, settings: Settings
    ) -> Scores:
        rows = self._stacked(feature_sets)
        grams = self._grams(feature_sets)
        gamma = kernel_gamma(settings)
        kernel = TrainingKernel(
            grams.training_kernel(feature_sets, gamma, classifier.equal_sets), rows
        )
        labels = self._training_labels
        svm = kernel.fit(np.arange(len(labels)), labels, settings, classifier)
        test_kernel = grams.test_kernel(feature_sets, gamma, classifier.equal_sets)
        scores: Scores = svm.decision_function(test_kernel)
        return scores

    def _grams(self, feature_sets: tuple[int, ...]) -> GramMatrices:
        """Return the Gram matrices, after the matrices of these feature sets are added."""
        for index in feature_sets:
            if index not in self._gram_matrices:
                test = classifier_input(
                    ClassifierKind.SVM,
                    tables=[self._table(index)[self.fold.test]],
                    is_tuned=[self._features[index].is_tuned],
                )
                self._gram_matrices.add(
                    index,
                    training=self._training_input((index,), ClassifierKind.SVM),
                    test=test,
                    weights=self._stacked((index,)).weights,
                )
        return self._gram_matrices


@dataclass(frozen=True, eq=False)
class TrainingKernel:
    """The square kernel matrix within the rows of a fold's training images."""

    matrix: Matrix
    rows: StackedRows

    def fit(
        self, images: Rows, malignant: Labels, settings: Settings, classifier: Svm
    ) -> SVC:
        """Return an SVM on the rows of some of the images; `malignant` is of all."""
        rows = self.rows.rows(images)
        has_all_rows = len(rows) == len(self.matrix)
        matrix = self.matrix if has_all_rows else self.matrix[np.ix_(rows, rows)]
        options = svm_options(settings, classifier) | {"kernel": "precomputed"}
        return SVC(**options).fit(
            matrix,
            self.rows.repeat(malignant[images]),
            sample_weight=self.rows.weights_of(images),
        )

    def score(self, svm: SVC, images: Rows, training: Rows) -> Scores:
        """Return the scores (M,) of some images by an SVM that was fitted on others."""
        part = np.ix_(self.rows.rows(images), self.rows.rows(training))
        return self.rows.merge(svm.decision_function(self.matrix[part]))


def _cached_scores(
    evaluator: FoldEvaluator, component: ComponentSpec, cache: FeatureCache
) -> tuple[Scores, Settings]:
    """Return a fold's scores, from the cache if they are there."""
    if isinstance(component.classifier, NetworkClassifier):
        return evaluator.score(component)
    key = evaluator.cache_key(component)
    stored = cache.get(key)
    if stored is not None:
        head, _, body = stored.partition(b"\n")
        return np.frombuffer(body, "<f8"), json.loads(head)
    scores, settings = evaluator.score(component)
    head = json.dumps(settings).encode()
    cache.put(key, head + b"\n" + scores.astype("<f8").tobytes())
    return scores, settings


def calibrate_out_of_fold(
    scores: Scores, malignant: Labels, folds: Sequence[Fold]
) -> Scores:
    """Return the out-of-fold scores (N,) -> probabilities (N,).

    The calibration of each fold is fitted on the other folds' scores alone.
    """
    calibrated = np.zeros(len(scores))
    for fold in folds:
        sigmoid: Sigmoid = fit_sigmoid(scores[fold.training], malignant[fold.training])
        calibrated[fold.test] = sigmoid.apply(scores[fold.test])
    return calibrated


def summarise_settings(settings: Sequence[Settings]) -> Mapping[str, str]:
    """Return the folds' settings as text: each value with the number of folds that chose it."""
    summary: dict[str, str] = {}
    for fold_settings in settings:
        for name in fold_settings:
            if name not in summary:
                summary[name] = _count_values(name, settings)
    return summary


def _count_values(name: str, settings: Sequence[Settings]) -> str:
    values = [
        fold_settings[name] for fold_settings in settings if name in fold_settings
    ]
    counts = [f"{value} ({values.count(value)})" for value in dict.fromkeys(values)]
    return ", ".join(counts)
