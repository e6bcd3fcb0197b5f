import numpy as np
import pytest

from shared.learning.evidence import ALPHAS, SENSITIVITY_TARGETS, gather_evidence
from shared.learning.validation.folds import split_folds
from shared.statistics import ASSUMED_PREVALENCE, fit_sigmoid


def evidence_and_scores(count=400, seed=0):
    random = np.random.default_rng(seed)
    malignant = random.random(count) < 0.4
    scores = 1 / (1 + np.exp(-(random.normal(size=count) + 2 * malignant - 1)))
    patients = np.arange(count).astype(str)
    folds = split_folds(malignant, patients, 6, 0)
    novelty = random.random(count) + 0.5
    embedding = random.normal(size=(count, 8)).astype("f4")
    evidence = gather_evidence(
        scores,
        malignant=malignant,
        patients=patients,
        folds=folds,
        calibration=fit_sigmoid(scores, malignant),
        novelty=novelty,
        embedding=embedding,
    )
    return evidence, scores


def test_the_reference_spans_the_training_images():
    evidence, scores = evidence_and_scores()
    reference = evidence.reference
    assert (reference.score[0], reference.score[50], reference.score[100]) == (
        scores.min(),
        np.median(scores),
        scores.max(),
    )
    assert reference.embedding.shape == (8, 101)
    for quantiles in (
        reference.score,
        reference.risk,
        reference.novelty,
        *reference.embedding,
    ):
        assert len(quantiles) == 101
        assert (np.diff(quantiles) >= 0).all()


def test_every_target_has_an_operating_point_and_a_higher_target_costs_specificity():
    points = evidence_and_scores()[0].operating_points
    assert tuple(point.target for point in points) == SENSITIVITY_TARGETS
    assert SENSITIVITY_TARGETS[0] == 0.8
    assert SENSITIVITY_TARGETS[-1] == 0.99
    cutoffs = [point.cutoff for point in points]
    specificities = [point.specificity.value for point in points]
    assert cutoffs == sorted(cutoffs, reverse=True)
    assert specificities == sorted(specificities, reverse=True)


def test_the_sensitivity_of_an_operating_point_is_close_to_its_target_out_of_fold():
    for point in evidence_and_scores(1500)[0].operating_points:
        assert point.promised
        assert point.sensitivity.value == pytest.approx(point.target, abs=0.02)


def test_conformal_sets_keep_their_promised_coverage_out_of_fold():
    for coverage in evidence_and_scores(1500)[0].coverage:
        assert coverage.alpha in ALPHAS
        assert coverage.benign.coverage.value > 1 - coverage.alpha - 0.03
        assert coverage.malignant.coverage.value > 1 - coverage.alpha - 0.03


def test_the_calibration_bins_hold_every_image_once():
    evidence, scores = evidence_and_scores()
    assert sum(bin_.count for bin_ in evidence.calibration) == len(scores)


def test_decision_curves_hold_at_the_training_images_and_at_the_assumed_prevalence():
    evidence, _ = evidence_and_scores()
    own, assumed = evidence.decision_curves
    observed = sum(group.malignant for group in evidence.calibration) / 400
    assert own.prevalence == pytest.approx(observed)
    assert assumed.prevalence == ASSUMED_PREVALENCE
    assert own.is_superior.any()
    assert assumed.is_superior.any()
