import numpy as np
import pytest

from shared.learning.tuning import Hyperparameters, LearningCurves
from shared.learning.tuning.errors import TuningDiverged
from shared.learning.tuning.hyperparameters import hyperparameter_grid
from shared.recipes import TuningPlan

MALIGNANT = np.array([True, True, False, False])
GRID = [Hyperparameters(0.1, 0.0, 3), Hyperparameters(0.01, 0.0, 3)]


def curves(log_odds) -> LearningCurves:
    return LearningCurves(GRID, np.array(log_odds, np.float32))


def test_every_rate_goes_with_every_decay():
    assert hyperparameter_grid(TuningPlan(5, (0.1, 0.01), (0.0, 1e-4))) == [
        Hyperparameters(0.1, 0.0, 5),
        Hyperparameters(0.1, 1e-4, 5),
        Hyperparameters(0.01, 0.0, 5),
        Hyperparameters(0.01, 1e-4, 5),
    ]


def test_the_epoch_of_least_cross_entropy_is_chosen():
    right = [2, 2, -2, -2]
    wrong = [-1, 1, 1, -1]
    learning_curves = curves([[wrong, wrong, wrong], [wrong, right, wrong]])
    assert learning_curves.choose(MALIGNANT, np.arange(4)) == (
        1,
        Hyperparameters(0.01, 0.0, 2),
    )


def test_a_fold_s_own_images_do_not_influence_its_choice():
    first = [3, 3, -3, 3]
    second = [1, 1, -1, -1]
    learning_curves = curves([[first, second, second]] * 2)
    assert learning_curves.choose(MALIGNANT, np.arange(3))[1].epochs == 1
    assert learning_curves.choose(MALIGNANT, np.arange(4))[1].epochs == 2


def test_both_classes_have_the_same_weight_whatever_their_size():
    malignant = np.array([True] * 9 + [False])
    for_majority = [5.0] * 10
    for_both_classes = [1.0] * 9 + [-1.0]
    learning_curves = curves([[for_majority, for_both_classes, for_both_classes]] * 2)
    assert learning_curves.choose(malignant, np.arange(10))[1].epochs == 2


def test_of_equal_losses_the_first_and_shortest_is_chosen():
    assert curves(np.zeros((2, 3, 4))).choose(MALIGNANT, np.arange(4)) == (
        0,
        Hyperparameters(0.1, 0.0, 1),
    )


def test_a_tuning_that_diverged_is_not_chosen():
    diverged = np.full(4, np.nan)
    converged = np.array([1.0, 1, -1, -1])
    assert curves([[converged, diverged, diverged], [diverged] * 3]).choose(
        MALIGNANT, np.arange(4)
    ) == (
        0,
        Hyperparameters(0.1, 0.0, 1),
    )


def test_if_all_diverged_the_rates_are_named():
    with pytest.raises(TuningDiverged, match=r"0\.1, 0\.01"):
        curves(np.full((2, 3, 4), np.nan)).choose(MALIGNANT, np.arange(4))
