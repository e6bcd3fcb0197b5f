import numpy as np
import pytest

from shared.learning.tuning import Hyperparameters, LearningCurves
from shared.learning.tuning.course import hyperparameter_grid
from shared.learning.tuning.errors import TuningDiverged
from shared.recipes import TuningPlan

MALIGNANT = np.array([True, True, False, False])
TRIED = [Hyperparameters(0.1, 0.0, 3), Hyperparameters(0.01, 0.0, 3)]


def curves(margins) -> LearningCurves:
    return LearningCurves(TRIED, np.array(margins, np.float32))


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
    found = curves([[wrong, wrong, wrong], [wrong, right, wrong]])
    assert found.choose(MALIGNANT, np.arange(4)) == (1, Hyperparameters(0.01, 0.0, 2))


def test_what_a_fold_s_own_images_say_has_no_part_in_its_choice():
    first = [3, 3, -3, 3]
    second = [1, 1, -1, -1]
    found = curves([[first, second, second]] * 2)
    assert found.choose(MALIGNANT, np.arange(3))[1].epochs == 1
    assert found.choose(MALIGNANT, np.arange(4))[1].epochs == 2


def test_classes_count_alike_however_many_images_they_have():
    malignant = np.array([True] * 9 + [False])
    for_the_many = [5.0] * 10
    for_both = [1.0] * 9 + [-1.0]
    found = curves([[for_the_many, for_both, for_both]] * 2)
    assert found.choose(malignant, np.arange(10))[1].epochs == 2


def test_of_equals_the_first_and_shortest_is_taken():
    assert curves(np.zeros((2, 3, 4))).choose(MALIGNANT, np.arange(4)) == (
        0,
        Hyperparameters(0.1, 0.0, 1),
    )


def test_a_descent_that_ran_away_is_not_chosen():
    lost = np.full(4, np.nan)
    found = np.array([1.0, 1, -1, -1])
    assert curves([[found, lost, lost], [lost, lost, lost]]).choose(
        MALIGNANT, np.arange(4)
    ) == (
        0,
        Hyperparameters(0.1, 0.0, 1),
    )


def test_if_all_ran_away_the_rates_are_named():
    with pytest.raises(TuningDiverged, match=r"0\.1, 0\.01"):
        curves(np.full((2, 3, 4), np.nan)).choose(MALIGNANT, np.arange(4))
