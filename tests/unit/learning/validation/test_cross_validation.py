from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from shared.learning import NoCache
from shared.learning.classifiers.classifiers import fit_classifier, grid_settings
from shared.learning.features.fold_features import FixedFeatures
from shared.learning.progress import ignore_progress
from shared.learning.validation.cross_validation import (
    CrossValidation,
    FoldEvaluator,
    calibrate_out_of_fold,
    score_out_of_fold,
    summarise_settings,
)
from shared.learning.validation.folds import Fold, split_folds
from shared.recipes import ComponentSpec, Forest, Kernel, NetworkClassifier, Svm
from shared.statistics import roc_auc

SVM = Svm(kernel=(Kernel.RBF,), C=(0.1, 1.0, 10.0), gamma=(0.1, 1.0))
LINEAR_AND_RBF = Svm(kernel=(Kernel.LINEAR, Kernel.RBF), C=(0.1, 1.0), gamma=(0.3, 1.0))


SOLVED_TO = 3e-3
"""libsvm stops at a gradient of 1e-3, so two runs of it on equal kernels agree to about that."""


def make_cross_validation(count: int, seed: int, folds: int = 5) -> CrossValidation:
    malignant = np.arange(count) % 2 == 0
    groups = np.array([str(row) for row in range(count)])
    return CrossValidation(
        malignant=malignant,
        groups=groups,
        folds=split_folds(malignant, groups, folds, seed),
        inner_folds=3,
        seed=seed,
        fingerprint="a test",
    )


def score_table(
    cross_validation: CrossValidation, table: np.ndarray, classifier=SVM
) -> np.ndarray:
    """Out-of-fold scores of a classifier on one table."""
    (result,) = score_out_of_fold(
        [ComponentSpec((0,), classifier)],
        features=[FixedFeatures("table", table)],
        cross_validation=cross_validation,
        cache=NoCache(),
        progress=ignore_progress,
    )
    return result.scores


class MemoryCache(dict):
    """A cache in memory that counts its hits."""

    hits = 0

    def get(self, key: str) -> bytes | None:
        self.hits += key in self
        return super().get(key)

    def put(self, key: str, vector: bytes) -> None:
        self[key] = vector


def test_random_features_get_an_auc_of_about_one_half():
    areas = []
    for seed in range(8):
        features = np.random.default_rng(seed).normal(size=(90, 40)).astype(np.float32)
        cross_validation = make_cross_validation(90, seed)
        scores = score_table(cross_validation, features)
        areas.append(roc_auc(scores, cross_validation.malignant))
    assert abs(np.mean(areas) - 0.5) < 0.08


def test_features_of_a_pre_trained_network_have_no_log_odds():
    with pytest.raises(TypeError, match="only a tuned network"):
        score_table(
            make_cross_validation(60, 0),
            np.zeros((60, 2), np.float32),
            NetworkClassifier(),
        )


def test_an_image_s_own_label_changes_neither_its_out_of_fold_score_nor_its_calibration():
    cross_validation = make_cross_validation(60, 0)
    folds = cross_validation.folds
    malignant = cross_validation.malignant
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(60, 4)) + malignant[:, None]).astype(np.float32)
    scores = score_table(cross_validation, features)
    test = folds[0].test
    flipped = malignant.copy()
    flipped[test] = ~flipped[test]
    with_flipped_labels = replace(
        cross_validation, malignant=flipped, fingerprint="another"
    )
    scores_of_flipped = score_table(with_flipped_labels, features)
    np.testing.assert_array_equal(scores[test], scores_of_flipped[test])
    np.testing.assert_array_equal(
        calibrate_out_of_fold(scores, malignant, folds)[test],
        calibrate_out_of_fold(scores, flipped, folds)[test],
    )


@pytest.fixture(scope="module")
def tables() -> list[np.ndarray]:
    """Six feature sets of unlike width and scale, as L19 has them."""
    rng = np.random.default_rng(1)
    labels = make_cross_validation(72, 0).malignant
    widths = (40, 40, 40, 64, 24, 24)
    scales = (1, 10, 100, 0.1, 1, 3)
    return [
        (scale * (rng.normal(size=(72, width)) + 0.25 * labels[:, None])).astype(
            np.float32
        )
        for width, scale in zip(widths, scales, strict=True)
    ]


def score_directly(
    cross_validation: CrossValidation, fold: Fold, table: np.ndarray
) -> tuple[np.ndarray, dict]:
    """The same protocol with scikit-learn alone.

    It standardises, tries the grid on inner folds, fits and scores.
    """
    scaler = StandardScaler().fit(table[fold.training])
    scaled = scaler.transform(table).astype(np.float64)
    malignant = cross_validation.malignant
    labels = malignant[fold.training]
    groups = cross_validation.groups[fold.training]
    inner_folds = split_folds(
        labels, groups, cross_validation.inner_folds, cross_validation.seed
    )

    def new_svm(settings: dict) -> SVC:
        options = {**settings}
        if "gamma" in options:
            options["gamma"] /= table.shape[1]
        return SVC(**options)

    def area(settings: dict) -> float:
        scores = np.zeros(len(labels))
        for inner in inner_folds:
            rows = fold.training[inner.training]
            svm = new_svm(settings).fit(scaled[rows], malignant[rows])
            test_rows = fold.training[inner.test]
            scores[inner.test] = svm.decision_function(scaled[test_rows])
        return roc_auc(scores, labels)

    settings = max(grid_settings(LINEAR_AND_RBF), key=area)
    svm = new_svm(settings).fit(scaled[fold.training], labels)
    return svm.decision_function(scaled[fold.test]), settings


@pytest.mark.parametrize(
    ("count", "concatenations"), [(4, 11), pytest.param(6, 57, marks=pytest.mark.long)]
)
def test_every_concatenation_has_the_scores_of_a_direct_fit(
    tables, count, concatenations
):
    cross_validation = make_cross_validation(72, 0, folds=2)
    components = [
        ComponentSpec(feature_sets, LINEAR_AND_RBF)
        for size in range(2, count + 1)
        for feature_sets in combinations(range(count), size)
    ]
    assert len(components) == concatenations
    results = score_out_of_fold(
        components,
        features=[
            FixedFeatures(str(index), table) for index, table in enumerate(tables)
        ],
        cross_validation=cross_validation,
        cache=NoCache(),
        progress=ignore_progress,
    )
    for component, result in zip(components, results, strict=True):
        concatenation = np.concatenate(
            [tables[index] for index in component.feature_sets], axis=1
        )
        for number, fold in enumerate(cross_validation.folds):
            scores, settings = score_directly(cross_validation, fold, concatenation)
            assert result.settings[number] == settings
            np.testing.assert_allclose(result.scores[fold.test], scores, atol=SOLVED_TO)


def test_a_pipeline_reproduces_the_settings_of_the_final_fit(tables):
    cross_validation = make_cross_validation(72, 0)
    features = [FixedFeatures("a", tables[0]), FixedFeatures("b", tables[3])]
    with FoldEvaluator(features, cross_validation, None) as evaluator:
        settings = evaluator.choose_settings(ComponentSpec((0, 1), LINEAR_AND_RBF))
    table = np.concatenate([tables[0], tables[3]], axis=1)
    all_rows = Fold(np.arange(72), np.arange(72))
    scores, expected_settings = score_directly(cross_validation, all_rows, table)
    assert settings == expected_settings
    scorer = fit_classifier(
        LINEAR_AND_RBF,
        settings=settings,
        features=table,
        malignant=cross_validation.malignant,
        seed=0,
    )
    np.testing.assert_allclose(scorer.score(table), scores, atol=SOLVED_TO)


def test_cached_scores_are_not_computed_again(tables):
    cross_validation = make_cross_validation(72, 0)
    cache = MemoryCache()
    components = [
        ComponentSpec((0,), SVM),
        ComponentSpec((0, 1), Forest(trees=5)),
    ]

    def score():
        return score_out_of_fold(
            components,
            features=[FixedFeatures("a", tables[0]), FixedFeatures("b", tables[1])],
            cross_validation=cross_validation,
            cache=cache,
            progress=ignore_progress,
        )

    first_results = score()
    assert cache.hits == 0
    cached_results = score()
    assert cache.hits == 2 * len(cross_validation.folds)
    for first, cached in zip(first_results, cached_results, strict=True):
        np.testing.assert_array_equal(first.scores, cached.scores)
        assert first.settings == cached.settings


def test_the_summary_of_settings_has_the_number_of_folds_that_chose_each_value():
    assert summarise_settings([{"C": 1}, {"C": 4}, {"C": 1}]) == {"C": "1 (2), 4 (1)"}
