"""Fits that read each image in several ways, the rows weighted."""

from collections.abc import Sequence

import numpy as np
import pytest

from shared.learning import NoCache
from shared.learning.features.fold_features import FixedFeatures, WeightedTable
from shared.learning.features.stacked_rows import StackedRows
from shared.learning.progress import ignore_progress
from shared.learning.validation.cross_validation import (
    CrossValidation,
    FoldEvaluator,
    score_out_of_fold,
)
from shared.learning.validation.folds import split_folds
from shared.recipes import Classifier, ComponentSpec, Forest, Kernel, Svm

COUNT = 60
SVM = Svm(kernel=(Kernel.RBF,), C=(1.0, 4.0), gamma=(0.5,), balanced=True)
SOLVED_TO = 3e-3
"""libsvm stops at a gradient of 1e-3."""


@pytest.fixture(scope="module")
def cross_validation() -> CrossValidation:
    malignant = np.arange(COUNT) % 3 == 0
    groups = np.array([str(row) for row in range(COUNT)])
    return CrossValidation(
        malignant=malignant,
        groups=groups,
        folds=split_folds(malignant, groups, 4, 0),
        inner_folds=3,
        seed=0,
        fingerprint="views",
    )


@pytest.fixture(scope="module")
def table(cross_validation: CrossValidation) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=(COUNT, 8))
    return (noise + cross_validation.malignant[:, None] * 0.8).astype(np.float32)


def score(
    cross_validation: CrossValidation,
    features: FixedFeatures,
    classifier: Classifier = SVM,
) -> np.ndarray:
    [result] = score_out_of_fold(
        [ComponentSpec((0,), classifier)],
        features=[features],
        cross_validation=cross_validation,
        cache=NoCache(),
        progress=ignore_progress,
    )
    return result.scores


def views(tables: Sequence[np.ndarray], weights: Sequence[float]):
    return [
        WeightedTable(values, weight)
        for values, weight in zip(tables, weights, strict=True)
    ]


def test_the_rows_of_an_image_are_found_in_every_view():
    rows = StackedRows([0.5, 0.3, 0.2], images=10)
    images = np.array([1, 7])
    assert rows.rows(images).tolist() == [1, 7, 11, 17, 21, 27]
    np.testing.assert_allclose(rows.weights_of(images), [0.5, 0.5, 0.3, 0.3, 0.2, 0.2])
    merged = rows.merge(np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0]))
    np.testing.assert_allclose(merged, [0.7, 0.3])
    assert StackedRows([1.0], images=10).weights is None


def test_equal_views_give_the_scores_of_one_view(cross_validation, table):
    one = score(cross_validation, FixedFeatures("one", table))
    features = FixedFeatures("two", table, views([table, table], [0.7, 0.3]))
    np.testing.assert_allclose(score(cross_validation, features), one, atol=SOLVED_TO)


def test_a_heavy_view_decides_against_a_light_one(cross_validation, table):
    alone = score(cross_validation, FixedFeatures("one", table))
    misleading = views([table, -table], [0.99, 0.01])
    features = FixedFeatures("two", table, misleading)
    scores = score(cross_validation, features)
    assert np.corrcoef(scores, alone)[0, 1] > 0.95
    reversed_weights = views([table, -table], [0.01, 0.99])
    reversed_scores = score(
        cross_validation, FixedFeatures("three", table, reversed_weights)
    )
    assert np.corrcoef(reversed_scores, alone)[0, 1] < -0.4


@pytest.mark.parametrize("classifier", [SVM, Forest(trees=20)])
def test_a_fit_sees_no_view_of_its_test_images(cross_validation, table, classifier):
    def fold_scores(other: np.ndarray) -> np.ndarray:
        features = FixedFeatures("two", table, views([table, other], [0.5, 0.5]))
        with FoldEvaluator([features], cross_validation, 0) as evaluator:
            return evaluator.score(ComponentSpec((0,), classifier))[0]

    poisoned = np.array(table)
    poisoned[cross_validation.folds[0].test] = 1e6
    np.testing.assert_array_equal(fold_scores(table), fold_scores(poisoned))


def test_the_final_fit_reads_every_view(cross_validation, table):
    component = ComponentSpec((0,), SVM)
    features = FixedFeatures("two", table, views([table, table + 1], [0.6, 0.4]))
    with FoldEvaluator([features], cross_validation, None) as evaluator:
        settings = evaluator.choose_settings(component)
        scorer = evaluator.fit(component, settings)
    centre = scorer.model.named_steps["standardise"].mean_
    np.testing.assert_allclose(centre, table.mean(axis=0) + 0.4, atol=1e-5)


def test_feature_sets_with_and_without_views_are_judged_beside_one_another(
    cross_validation, table
):
    viewed = FixedFeatures("two", table, views([table, table + 1], [0.6, 0.4]))
    plain = FixedFeatures("one", table)
    components = [ComponentSpec((index,), SVM) for index in range(2)]
    together = score_out_of_fold(
        components,
        features=[plain, viewed],
        cross_validation=cross_validation,
        cache=NoCache(),
        progress=ignore_progress,
    )
    for features, result in zip([plain, viewed], together, strict=True):
        alone = score(cross_validation, features)
        np.testing.assert_array_equal(result.scores, alone)
    with (
        FoldEvaluator([plain, viewed], cross_validation, 0) as evaluator,
        pytest.raises(ValueError, match="different views"),
    ):
        evaluator.score(ComponentSpec((0, 1), SVM))
