import numpy as np

from shared.learning.folds import split
from shared.learning.validation import Trial, cross_fitted, out_of_fold
from shared.recipes import Kernel, Svm
from shared.statistics import roc_auc

SVM = Svm(kernel=(Kernel.RBF,), C=(0.1, 1.0, 10.0), gamma=(0.1, 1.0))


def trial(count: int, seed: int) -> Trial:
    return Trial(np.arange(count) % 2 == 0, np.array([str(row) for row in range(count)]), inner_folds=3, seed=seed)


def test_features_that_say_nothing_get_an_auc_around_one_half():
    areas = []
    for seed in range(8):
        case = trial(90, seed)
        features = np.random.default_rng(seed).normal(size=(90, 40)).astype(np.float32)
        folds = split(case.malignant, case.groups, 5, seed)
        areas.append(roc_auc(out_of_fold(SVM, features, case, folds), case.malignant))
    assert abs(np.mean(areas) - 0.5) < 0.08


def test_an_image_s_own_label_does_not_change_its_out_of_fold_score_nor_its_calibration():
    case, rng = trial(60, 0), np.random.default_rng(0)
    features = (rng.normal(size=(60, 4)) + case.malignant[:, None]).astype(np.float32)
    folds = split(case.malignant, case.groups, 5, seed=0)
    scores = out_of_fold(SVM, features, case, folds)
    flipped = case.malignant.copy()
    flipped[folds[0].test] = ~flipped[folds[0].test]
    other = out_of_fold(SVM, features, Trial(flipped, case.groups, 3, 0), folds)
    np.testing.assert_array_equal(scores[folds[0].test], other[folds[0].test])
    calibrated, other = (cross_fitted(scores, labels, folds)[folds[0].test] for labels in (case.malignant, flipped))
    np.testing.assert_array_equal(calibrated, other)
