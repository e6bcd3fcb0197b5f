from itertools import combinations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from shared.learning import NoCache
from shared.learning.classifiers.classifiers import grid_settings, fit_classifier
from shared.learning.features.fold_features import FixedFeatures
from shared.learning.progress import ignore_progress
from shared.learning.validation.cross_validation import (
    FoldEvaluator,
    CrossValidation,
    summarise_settings,
    calibrate_out_of_fold,
    score_out_of_fold,
)
from shared.learning.validation.folds import Fold, split_folds
from shared.recipes import Forest, NetworkClassifier, Kernel, Svm
from shared.statistics import roc_auc

SVM = Svm(kernel=(Kernel.RBF,), C=(0.1, 1.0, 10.0), gamma=(0.1, 1.0))
BOTH = Svm(kernel=(Kernel.LINEAR, Kernel.RBF), C=(0.1, 1.0), gamma=(0.3, 1.0))


SOLVED_TO = 3e-3
"""libsvm stops at a gradient of 1e-3, so two runs of it on equal kernels agree to about that."""


def trial(count: int, seed: int, folds: int = 5) -> CrossValidation:
    malignant = np.arange(count) % 2 == 0
    groups = np.array([str(row) for row in range(count)])
    return CrossValidation(
        malignant, groups, split_folds(malignant, groups, folds, seed), 3, seed, "a test"
    )


def judged(case: CrossValidation, table: np.ndarray, classifier=SVM) -> np.ndarray:
    readings = [((0,), classifier)]
    return score_out_of_fold(readings, [FixedFeatures("table", table)], case, NoCache(), ignore_progress)[
        0
    ].scores


class Notes(dict):
    """A cache in memory that counts what is asked of it."""

    hits = 0

    def get(self, key: str) -> bytes | None:
        self.hits += key in self
        return super().get(key)

    def put(self, key: str, vector: bytes) -> None:
        self[key] = vector


def test_features_that_say_nothing_get_an_auc_around_one_half():
    areas = []
    for seed in range(8):
        features = np.random.default_rng(seed).normal(size=(90, 40)).astype(np.float32)
        areas.append(
            roc_auc(judged(trial(90, seed), features), trial(90, seed).malignant)
        )
    assert abs(np.mean(areas) - 0.5) < 0.08


def test_features_as_pre_trained_have_no_verdict_of_their_own():
    with pytest.raises(TypeError, match="only a tuned network"):
        judged(trial(60, 0), np.zeros((60, 2), np.float32), NetworkClassifier())


def test_an_image_s_own_label_does_not_change_its_out_of_fold_score_nor_its_calibration():
    case = trial(60, 0)
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(60, 4)) + case.malignant[:, None]).astype(np.float32)
    scores = judged(case, features)
    first = case.folds[0]
    flipped = case.malignant.copy()
    flipped[first.test] = ~flipped[first.test]
    other = judged(CrossValidation(flipped, case.groups, case.folds, 3, 0, "another"), features)
    np.testing.assert_array_equal(scores[first.test], other[first.test])
    calibrated, other = (
        calibrate_out_of_fold(scores, labels, case.folds)[first.test]
        for labels in (case.malignant, flipped)
    )
    np.testing.assert_array_equal(calibrated, other)


@pytest.fixture(scope="module")
def tables() -> list[np.ndarray]:
    """Six feature sets of unlike width and scale, as L19 has them."""
    rng = np.random.default_rng(1)
    labels = trial(72, 0).malignant
    widths = (40, 40, 40, 64, 24, 24)
    scales = (1, 10, 100, 0.1, 1, 3)
    return [
        (scale * (rng.normal(size=(72, width)) + 0.25 * labels[:, None])).astype(
            np.float32
        )
        for width, scale in zip(widths, scales, strict=True)
    ]


def directly(case: CrossValidation, fold: Fold, table: np.ndarray) -> tuple[np.ndarray, dict]:
    """The same protocol with scikit-learn alone: standardise, try the grid on inner folds, fit, score."""
    scaled = (
        StandardScaler().fit(table[fold.training]).transform(table).astype(np.float64)
    )
    labels = case.malignant[fold.training]
    groups = case.groups[fold.training]
    inner = split_folds(labels, groups, case.inner_folds, case.seed)

    def svm(settings: dict) -> SVC:
        options = {**settings}
        if "gamma" in options:
            options["gamma"] /= table.shape[1]
        return SVC(**options)

    def area(settings: dict) -> float:
        scores = np.zeros(len(labels))
        for part in inner:
            rows = fold.training[part.training]
            fitted = svm(settings).fit(scaled[rows], case.malignant[rows])
            scores[part.test] = fitted.decision_function(
                scaled[fold.training[part.test]]
            )
        return roc_auc(scores, labels)

    chosen = max(grid_settings(BOTH), key=area)
    return svm(chosen).fit(scaled[fold.training], labels).decision_function(
        scaled[fold.test]
    ), chosen


@pytest.mark.parametrize(
    ("count", "concatenations"), [(4, 11), pytest.param(6, 57, marks=pytest.mark.long)]
)
def test_every_concatenation_of_sets_scores_as_if_it_were_fitted_directly(
    tables, count, concatenations
):
    case = trial(72, 0, folds=2)
    sizes = range(2, count + 1)
    subsets = [sets for size in sizes for sets in combinations(range(count), size)]
    assert len(subsets) == concatenations
    columns = [FixedFeatures(str(place), table) for place, table in enumerate(tables)]
    found = score_out_of_fold(
        [(sets, BOTH) for sets in subsets], columns, case, NoCache(), ignore_progress
    )
    for sets, of_one in zip(subsets, found, strict=True):
        together = np.concatenate([tables[place] for place in sets], axis=1)
        for number, fold in enumerate(case.folds):
            scores, settings = directly(case, fold, together)
            assert of_one.settings[number] == settings
            np.testing.assert_allclose(of_one.scores[fold.test], scores, atol=SOLVED_TO)


def test_the_settings_of_the_final_fit_are_those_a_pipeline_of_the_bundle_reproduces(
    tables,
):
    case = trial(72, 0)
    with FoldEvaluator([FixedFeatures("a", tables[0]), FixedFeatures("b", tables[3])], case, None) as desk:
        settings = desk.choose_settings((0, 1), BOTH)
    table = np.concatenate([tables[0], tables[3]], axis=1)
    whole = Fold(np.arange(72), np.arange(72))
    scores, chosen = directly(case, whole, table)
    assert settings == chosen
    np.testing.assert_allclose(
        fit_classifier(BOTH, settings, table, case.malignant, 0).score(table),
        scores,
        atol=SOLVED_TO,
    )


def test_what_was_judged_is_not_judged_again(tables):
    case = trial(72, 0)
    notes = Notes()
    readings = [((0,), SVM), ((0, 1), Forest(trees=5))]
    columns = [FixedFeatures("a", tables[0]), FixedFeatures("b", tables[1])]
    first = score_out_of_fold(readings, columns, case, notes, ignore_progress)
    assert notes.hits == 0
    again = score_out_of_fold(readings, columns, case, notes, ignore_progress)
    assert notes.hits == 2 * len(case.folds)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.settings == other.settings


def test_settings_over_folds_are_told_with_how_many_folds_chose_them():
    assert summarise_settings([{"C": 1}, {"C": 4}, {"C": 1}]) == {"C": "1 (2), 4 (1)"}
