import numpy as np
import pytest

from shared.learning.evidence import ALPHAS, SENSITIVITY_TARGETS, gather_evidence
from shared.learning.validation.folds import split_folds
from shared.statistics import fit_sigmoid


def evidence(count=400, seed=0):
    random = np.random.default_rng(seed)
    malignant = random.random(count) < 0.4
    scores = 1 / (1 + np.exp(-(random.normal(size=count) + 2 * malignant - 1)))
    folds = split_folds(malignant, np.arange(count).astype(str), 6, 0)
    strangeness = random.random(count) + 0.5
    embedding = random.normal(size=(count, 8)).astype("f4")
    return gather_evidence(
        scores, malignant, folds, fit_sigmoid(scores, malignant), strangeness, embedding
    ), scores


def test_the_reference_spans_the_training_images():
    found, scores = evidence()
    held = found.reference
    assert (held.score[0], held.score[50], held.score[100]) == (
        scores.min(),
        np.median(scores),
        scores.max(),
    )
    assert held.embedding.shape == (8, 101)
    for quantiles in (held.score, held.risk, held.novelty, *held.embedding):
        assert len(quantiles) == 101
        assert (np.diff(quantiles) >= 0).all()


def test_there_is_a_point_for_every_target_and_a_higher_one_costs_specificity():
    points = evidence()[0].operating_points
    assert tuple(point.target for point in points) == SENSITIVITY_TARGETS
    assert SENSITIVITY_TARGETS[0] == 0.8
    assert SENSITIVITY_TARGETS[-1] == 0.99
    cutoffs = [point.cutoff for point in points]
    specificities = [point.specificity.value for point in points]
    assert cutoffs == sorted(cutoffs, reverse=True)
    assert specificities == sorted(specificities, reverse=True)


def test_the_rates_of_a_point_come_near_its_target_out_of_fold():
    for point in evidence(1500)[0].operating_points:
        assert point.promised
        assert point.sensitivity.value == pytest.approx(point.target, abs=0.02)


def test_sets_cover_out_of_fold_what_they_promise():
    for coverage in evidence(1500)[0].coverage:
        assert coverage.alpha in ALPHAS
        assert coverage.benign.coverage.value > 1 - coverage.alpha - 0.03
        assert coverage.malignant.coverage.value > 1 - coverage.alpha - 0.03


def test_the_calibration_bins_hold_every_image_once():
    found, scores = evidence()
    assert sum(each.count for each in found.calibration) == len(scores)
