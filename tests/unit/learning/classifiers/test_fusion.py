import numpy as np
import pytest

from shared.learning.classifiers.fusion import (
    Fuser,
    calibrate_component,
    fit_fuser,
    fuse_out_of_fold,
)
from shared.learning.validation.folds import Fold
from shared.recipes import FusionRule
from shared.statistics import fit_sigmoid, roc_auc

PROBABILITIES = np.array([[0.2, 0.9], [0.4, 0.8], [0.3, 0.1]])


def equal_fuser(rule: FusionRule) -> Fuser:
    return Fuser(rule, weights=(1 / 3, 1 / 3, 1 / 3), bias=0.0, prevalence=0.3)


def draw_components(
    seed: int, skills: tuple[float, ...], count: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (R, N) of components of different skill, and the labels (N,)."""
    rng = np.random.default_rng(seed)
    malignant = np.arange(count) % 2 == 0
    evidence = np.array(
        [skill * (malignant - 0.5) + rng.normal(size=count) for skill in skills]
    )
    return 1 / (1 + np.exp(-evidence)), malignant


def test_the_mean_averages_the_components():
    np.testing.assert_allclose(
        equal_fuser(FusionRule.MEAN).fuse(PROBABILITIES), [0.3, 0.6]
    )


def test_the_vote_counts_components_above_the_prevalence():
    np.testing.assert_allclose(
        equal_fuser(FusionRule.VOTE).fuse(PROBABILITIES), [1 / 3, 2 / 3]
    )


def test_the_better_component_gets_the_greater_weight_and_none_a_negative_one():
    probabilities, malignant = draw_components(0, (3.0, 1.0, -2.0))
    weights = fit_fuser(FusionRule.WEIGHTED, probabilities, malignant).weights
    assert weights[0] > weights[1] > weights[2] == 0


def test_weights_help_if_one_component_is_much_better():
    probabilities, malignant = draw_components(1, (3.0, 0.3, 0.3, 0.3))
    mean, weighted = (
        fit_fuser(rule, probabilities, malignant)
        for rule in (FusionRule.MEAN, FusionRule.WEIGHTED)
    )
    assert roc_auc(weighted.fuse(probabilities), malignant) > roc_auc(
        mean.fuse(probabilities), malignant
    )


def test_certain_components_give_a_finite_score():
    certain = np.array([[0.0, 1.0], [0.0, 1.0]])
    scores = Fuser(
        FusionRule.WEIGHTED, weights=(1.0, 1.0), bias=0.0, prevalence=0.5
    ).fuse(certain)
    assert np.isfinite(scores).all()
    assert scores[0] < 0.01 < 0.99 < scores[1]


@pytest.mark.parametrize("rule", list(FusionRule))
def test_a_fold_s_labels_do_not_change_its_own_fused_scores(rule):
    probabilities, malignant = draw_components(2, (2.0, 1.0), count=60)
    rows = np.arange(60)
    folds = [Fold(np.setdiff1d(rows, test), test) for test in np.array_split(rows, 3)]
    flipped = np.where(rows < 20, ~malignant, malignant)
    original_scores, flipped_scores = (
        fuse_out_of_fold(rule, list(probabilities), labels, folds)[:20]
        for labels in (malignant, flipped)
    )
    np.testing.assert_array_equal(original_scores, flipped_scores)


@pytest.mark.parametrize("rule", [FusionRule.MEAN, FusionRule.WEIGHTED])
def test_a_component_that_is_wrong_by_chance_on_the_other_folds_is_not_turned_round(
    rule,
):
    malignant = np.arange(80) % 2 == 0
    scores = np.random.default_rng(0).normal(size=80) + malignant
    training = np.arange(40)
    scores[training] = -np.abs(scores[training]) * malignant[training]
    fold = Fold(training=training, test=np.arange(40, 80))
    fused = fuse_out_of_fold(rule, [scores], malignant, [fold])
    assert fit_sigmoid(scores[training], malignant[training]).slope < 0
    order = np.argsort(scores[fold.test])
    np.testing.assert_array_equal(np.argsort(fused[fold.test]), order)
    assert np.ptp(fused[fold.test]) < 0.05


def test_the_calibration_of_a_component_that_rises_is_platts():
    scores = np.linspace(-1, 1, 60)
    malignant = scores + np.sin(np.arange(60)) > 0
    assert calibrate_component(scores, malignant) == fit_sigmoid(scores, malignant)
