"""Out-of-fold scores: every image judged by a classifier that saw neither it nor its patient."""

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
    Scores,
    Settings,
    Table,
    grid_settings,
    fit_classifier,
    kernel_gamma,
    svm_options,
)
from shared.learning.classifiers.kernels import GramMatrices, Matrix, Rows
from shared.learning.features.cache import FeatureCache
from shared.learning.features.fold_features import FoldFeatures, HasFoldLogOdds, classifier_input
from shared.learning.progress import ProgressCallback
from shared.learning.validation.folds import Fold, split_folds
from shared.recipes import Classifier, ClassifierKind, NetworkClassifier, Svm
from shared.statistics import Sigmoid, fit_sigmoid, roc_auc

Reading = tuple[tuple[int, ...], Classifier]
"""Feature sets, by number, and the classifier that reads them side by side."""


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What a classifier is judged on.

    Attributes
    ----------
    malignant : (N,) bool
    groups : (N,) str, never split
    folds : outer folds, for the figures
    inner_folds : number of folds inside a training part, for the choice among a grid
    fingerprint : of the images and their labels, in order
    """

    malignant: Labels
    groups: NDArray[np.str_]
    folds: Sequence[Fold]
    inner_folds: int
    seed: int
    fingerprint: str


@dataclass(frozen=True, eq=False)
class OutOfFoldScores:
    """Scores (N,) on any scale, and the settings each fold chose."""

    scores: Scores
    settings: tuple[Settings, ...]


def score_out_of_fold(
    readings: Sequence[Reading],
    columns: Sequence[FoldFeatures],
    trial: CrossValidation,
    keep: FeatureCache,
    progress: ProgressCallback,
) -> list[OutOfFoldScores]:
    """Nested cross-validation of each reading: settings are chosen anew inside the training part of each fold.

    What was judged before is taken from `keep`, so that an interrupted run goes on where it was.
    """
    scores = [np.zeros(len(trial.malignant)) for _ in readings]
    settings: list[list[Settings]] = [[] for _ in readings]
    for number, fold in enumerate(trial.folds):

        def partly(
            stage: str,
            fraction: float,
            message: Message,
            metrics: Mapping[str, float],
            number: int = number,
        ) -> None:
            progress(stage, (number + fraction) / len(trial.folds), message, metrics)

        for place, (judged, chosen) in enumerate(
            score_fold(number, readings, columns, trial, keep, partly)
        ):
            scores[place][fold.test] = judged
            settings[place].append(chosen)
    return [
        OutOfFoldScores(*of_one) for of_one in zip(scores, map(tuple, settings), strict=True)
    ]


def score_fold(
    number: int,
    readings: Sequence[Reading],
    columns: Sequence[FoldFeatures],
    trial: CrossValidation,
    keep: FeatureCache,
    progress: ProgressCallback,
) -> list[tuple[Scores, Settings]]:
    """Each reading's scores of one fold's test rows, and the settings it chose; kept for who asks again."""
    judged = []
    with FoldEvaluator(columns, trial, number) as desk:
        for reading in readings:
            judged.append(_kept(desk, reading, keep))
            message = Message(
                "progress-fold", {"fold": number + 1, "folds": len(trial.folds)}
            )
            progress("readers", len(judged) / len(readings), message, {})
    return judged


class FoldEvaluator:
    """One fold: its feature tables, their Gram matrices, and what classifiers make of them.

    `number` is None for the final fit, on all rows and with nothing to judge.
    """

    def __init__(
        self, columns: Sequence[FoldFeatures], trial: CrossValidation, number: int | None
    ) -> None:
        everything = np.arange(len(trial.malignant))
        self.fold = (
            Fold(everything, everything[:0]) if number is None else trial.folds[number]
        )
        self._columns = columns
        self._trial = trial
        self._number = number
        self._tables: dict[int, Table] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="sera-gram-")
        self._shelf = GramMatrices(Path(self._folder.name))
        self._inner: list[Fold] = []

    def __enter__(self) -> "FoldEvaluator":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def score(
        self, sets: tuple[int, ...], classifier: Classifier
    ) -> tuple[Scores, Settings]:
        """Scores of the test rows and the settings chosen on the training rows."""
        if isinstance(classifier, NetworkClassifier):
            return self._verdicts(sets[0]), {}
        chosen = self.choose_settings(sets, classifier)
        if isinstance(classifier, Svm):
            return self._judge_svm(sets, classifier, chosen), chosen
        table = self._seen(sets, classifier)
        rows = self.fold.training
        scorer = fit_classifier(
            classifier, chosen, table[rows], self._malignant, self._trial.seed
        )
        return scorer.score(table[self.fold.test]), chosen

    def choose_settings(self, sets: tuple[int, ...], classifier: Classifier) -> Settings:
        """The settings with the best AUC over inner folds of the training rows; the first of equals."""
        options = grid_settings(classifier)
        if len(options) == 1:
            return options[0]
        areas = self._areas(sets, classifier, options)
        return options[int(np.argmax(areas))]

    def cache_key(self, reading: Reading) -> str:
        """Names all that decides the fold's scores, or the final fit."""
        sets, classifier = reading
        rows = hashlib.sha256(
            np.concatenate([self.fold.training, [-1], self.fold.test]).tobytes()
        ).hexdigest()
        facts = {
            "columns": [self._columns[place].digest for place in sets],
            "classifier": asdict(classifier),
            "data": self._trial.fingerprint,
            "rows": rows,
            "inner": self._trial.inner_folds,
            "seed": self._trial.seed,
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return f"{'fits' if self._number is None else 'scores'}/{digest}"

    @property
    def _malignant(self) -> Labels:
        """Of the training rows."""
        return self._trial.malignant[self.fold.training]

    def _verdicts(self, place: int) -> Scores:
        columns = self._columns[place]
        if self._number is None or not isinstance(columns, HasFoldLogOdds):
            raise TypeError(
                "only a tuned network has verdicts, and only of a fold's test rows"
            )
        return columns.fold_log_odds(self._number).astype(np.float64)

    def _table(self, place: int) -> Table:
        if place not in self._tables:
            columns = self._columns[place]
            self._tables[place] = (
                columns.final_table()
                if self._number is None
                else columns.fold_table(self._number)
            )
        return self._tables[place]

    def _seen(self, sets: tuple[int, ...], classifier: Classifier) -> Table:
        tuned = [self._columns[place].is_tuned for place in sets]
        return classifier_input(classifier.kind, [self._table(place) for place in sets], tuned)

    def _inner_folds(self) -> list[Fold]:
        """Positions among the training rows."""
        if not self._inner:
            groups = self._trial.groups[self.fold.training]
            self._inner = split_folds(
                self._malignant, groups, self._trial.inner_folds, self._trial.seed
            )
        return self._inner

    def _areas(
        self, sets: tuple[int, ...], classifier: Classifier, options: Sequence[Settings]
    ) -> list[float]:
        """The AUC of each option over the inner folds."""
        if isinstance(classifier, Svm):
            return self._try_svm(sets, classifier, options)
        return self._try(sets, classifier, options)

    def _try(
        self, sets: tuple[int, ...], classifier: Classifier, options: Sequence[Settings]
    ) -> list[float]:
        table = self._seen(sets, classifier)[self.fold.training]
        seed = self._trial.seed
        areas = []
        for settings in options:
            scores = np.zeros(len(table))
            for inner in self._inner_folds():
                labels = self._malignant[inner.training]
                scorer = fit_classifier(
                    classifier, settings, table[inner.training], labels, seed
                )
                scores[inner.test] = scorer.score(table[inner.test])
            areas.append(roc_auc(scores, self._malignant))
        return areas

    def _try_svm(
        self, sets: tuple[int, ...], classifier: Svm, options: Sequence[Settings]
    ) -> list[float]:
        """The kernel matrix is made once for all that share it."""
        areas: dict[int, float] = {}
        for gamma in dict.fromkeys(map(kernel_gamma, options)):
            kernel = self._grams(sets).training_kernel(sets, gamma)
            for place, settings in enumerate(options):
                if kernel_gamma(settings) == gamma:
                    areas[place] = self._inner_area(kernel, settings, classifier)
        return [areas[place] for place in range(len(options))]

    def _inner_area(self, kernel: Matrix, settings: Settings, classifier: Svm) -> float:
        scores = np.zeros(len(kernel))
        for inner in self._inner_folds():
            svm = _fit_on(kernel, inner.training, self._malignant, settings, classifier)
            scores[inner.test] = svm.decision_function(
                kernel[np.ix_(inner.test, inner.training)]
            )
        return roc_auc(scores, self._malignant)

    def _judge_svm(
        self, sets: tuple[int, ...], classifier: Svm, settings: Settings
    ) -> Scores:
        grams = self._grams(sets)
        gamma = kernel_gamma(settings)
        everyone = np.arange(len(self.fold.training))
        svm = _fit_on(
            grams.training_kernel(sets, gamma), everyone, self._malignant, settings, classifier
        )
        scores: Scores = svm.decision_function(grams.test_kernel(sets, gamma))
        return scores

    def _grams(self, sets: tuple[int, ...]) -> GramMatrices:
        for place in sets:
            if place not in self._shelf:
                table = classifier_input(
                    ClassifierKind.SVM,
                    [self._table(place)],
                    [self._columns[place].is_tuned],
                )
                self._shelf.add(place, table[self.fold.training], table[self.fold.test])
        return self._shelf


def _fit_on(
    kernel: Matrix, rows: Rows, malignant: Labels, settings: Settings, classifier: Svm
) -> SVC:
    whole = len(rows) == len(kernel)
    part = kernel if whole else kernel[np.ix_(rows, rows)]
    return SVC(**svm_options(settings, classifier) | {"kernel": "precomputed"}).fit(
        part, malignant[rows]
    )


def _kept(
    desk: FoldEvaluator, reading: Reading, keep: FeatureCache
) -> tuple[Scores, Settings]:
    """A fold's scores, from `keep` where they are there."""
    if isinstance(reading[1], NetworkClassifier):
        return desk.score(*reading)
    key = desk.cache_key(reading)
    if (known := keep.get(key)) is not None:
        head, _, body = known.partition(b"\n")
        return np.frombuffer(body, "<f8"), json.loads(head)
    scores, settings = desk.score(*reading)
    keep.put(
        key, json.dumps(settings).encode() + b"\n" + scores.astype("<f8").tobytes()
    )
    return scores, settings


def calibrate_out_of_fold(scores: Scores, malignant: Labels, folds: Sequence[Fold]) -> Scores:
    """Out-of-fold scores -> probabilities, each fold calibrated on the other folds' scores alone."""
    calibrated = np.zeros(len(scores))
    for fold in folds:
        sigmoid: Sigmoid = fit_sigmoid(scores[fold.training], malignant[fold.training])
        calibrated[fold.test] = sigmoid.apply(scores[fold.test])
    return calibrated


def summarise_settings(settings: Sequence[Settings]) -> Mapping[str, str]:
    """Settings over folds in words: each value with how many folds chose it."""
    told: dict[str, str] = {}
    for name in dict.fromkeys(name for of_one in settings for name in of_one):
        values = [of_one[name] for of_one in settings if name in of_one]
        told[name] = ", ".join(
            f"{value} ({values.count(value)})" for value in dict.fromkeys(values)
        )
    return told
