import numpy as np
import pytest

from shared.learning.classifiers.classifiers import fit_classifier, grid_settings
from shared.recipes import Forest, Kernel, Svm
from shared.statistics import roc_auc

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(80, 5)).astype(np.float32)
MALIGNANT = FEATURES[:, 0] + 0.3 * RNG.normal(size=80) > 0
SVM = Svm(kernel=(Kernel.LINEAR, Kernel.RBF), C=(0.1, 1.0), gamma=(0.5, 1.0))
FOREST = Forest(trees=20, min_leaf=(1, 3))


def test_the_grid_is_every_combination_and_a_linear_kernel_has_no_gamma():
    grid = grid_settings(SVM)
    assert len(grid) == 2 + 4
    assert all(
        ("gamma" in settings) == (settings["kernel"] == "rbf") for settings in grid
    )
    assert grid_settings(FOREST) == [{"min_leaf": 1}, {"min_leaf": 3}]


@pytest.mark.parametrize("classifier", [SVM, FOREST], ids=["svm", "forest"])
def test_scores_rise_with_malignancy(classifier):
    for settings in grid_settings(classifier):
        scorer = fit_classifier(classifier, settings, FEATURES, MALIGNANT, seed=0)
        assert roc_auc(scorer.score(FEATURES), MALIGNANT) > 0.9


@pytest.mark.parametrize("balanced", [False, True])
def test_a_forest_scores_as_scikit_learn_does(balanced):
    classifier = Forest(trees=20, min_leaf=(3,), balanced=balanced)
    scorer = fit_classifier(classifier, {"min_leaf": 3}, FEATURES, MALIGNANT, seed=0)
    np.testing.assert_allclose(
        scorer.score(FEATURES), scorer.model.predict_proba(FEATURES)[:, 1], atol=1e-12
    )


@pytest.mark.parametrize("classifier", [SVM, FOREST], ids=["svm", "forest"])
def test_the_same_seed_gives_the_same_classifier(classifier):
    settings = grid_settings(classifier)[0]
    first, second = (
        fit_classifier(classifier, settings, FEATURES, MALIGNANT, seed=3)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.score(FEATURES), second.score(FEATURES))


def test_the_width_of_the_rbf_kernel_follows_the_number_of_features():
    scorer = fit_classifier(
        SVM, {"kernel": "rbf", "C": 1.0, "gamma": 0.5}, FEATURES, MALIGNANT, seed=0
    )
    assert scorer.model["svm"].gamma == 0.1
