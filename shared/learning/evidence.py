"""A model's evidence about itself: reference distributions, and its expected performance.

The evidence comes from fused scores that are out of fold throughout: the components of a fold,
their calibration and the fusion's weights are fitted on the other folds. Such scores are on the
final model's scale, a calibrated probability, apart from the scatter of the smaller fits. The final
fusion's scores of the training images are on that scale exactly, but its weights were fitted on the
labels. In a simulation with six components fused by weight and 60 images, conformal sets at an
error of 0.1 covered 0.87 of each class when calibrated on the final fusion's scores, and 0.92 on
scores out of fold throughout (200 images: 0.89 and 0.91).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shared.learning.classifiers.classifiers import Labels, Scores
from shared.learning.validation.cross_validation import calibrate_out_of_fold
from shared.learning.validation.folds import Fold
from shared.learning.validation.report import decide_out_of_fold
from shared.statistics import (
    CalibrationBin,
    ConformalCases,
    ConformalCoverage,
    ConfusionTable,
    DecisionCurve,
    Measure,
    OperatingPoint,
    Sigmoid,
    calibration_curve,
    conformal_coverage,
    decision_curves,
    sensitivity_cutoff,
)
from shared.statistics.model_life.left_out_sites import LeftOutSites

Array = NDArray[np.float64]
SENSITIVITY_TARGETS = tuple(per_cent / 100 for per_cent in range(80, 100))
ALPHAS = tuple(per_cent / 100 for per_cent in range(1, 31))
QUANTILE_FRACTIONS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class ReferenceQuantiles:
    """Quantiles at 0, 1, ... 100 % over the training images, the reference for measuring drift.

    Attributes
    ----------
    score, risk : (101,) out of fold; `risk` at the prevalence of the training images
    novelty : (101,) out of fold
    embedding : (C, 101) along the final model's strongest components, of the images that the model
        was fitted on. It is therefore a little wider than the embedding of unseen images of the
        same kind. The difference decreases with the number of images.
    """

    score: Array
    risk: Array
    novelty: Array
    embedding: Array


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence that is stored with a model.

    Attributes
    ----------
    conformal : scores out of fold by class, for the p-values of new images
    operating_points : one for each of `SENSITIVITY_TARGETS`; the rates of each fold are computed at
        the cut-off of the other folds
    coverage : of conformal sets at each of `ALPHAS`, each fold with the other folds' scores
    calibration : stated risk against observed rate; each fold is calibrated on the other folds
    left_out_sites : how fits on all other sites did at each site; None if the images are of fewer
        than two sites, or it was not asked
    decision_curves : net benefit of the same risks, at the training images' prevalence and at the
        prevalence that is assumed until a hospital states its own; empty in models of a version
        that stored none
    """

    reference: ReferenceQuantiles
    conformal: ConformalCases
    operating_points: tuple[OperatingPoint, ...]
    coverage: tuple[ConformalCoverage, ...]
    calibration: tuple[CalibrationBin, ...]
    decision_curves: tuple[DecisionCurve, ...] = ()
    left_out_sites: LeftOutSites | None = None


def gather_evidence(
    scores: Scores,
    malignant: Labels,
    patients: NDArray[np.str_],
    folds: Sequence[Fold],
    calibration: Sigmoid,
    novelty: Scores,
    embedding: NDArray[np.float32],
    left_out_sites: LeftOutSites | None = None,
) -> Evidence:
    """Compute a model's evidence.

    Parameters
    ----------
    scores : (N,) fused, out of fold
    malignant : (N,) bool
    patients : (N,) names of the groups that no fold splits
    calibration : the calibration of the final model
    novelty : (N,) out of fold
    embedding : (N, C) in the final model
    left_out_sites : kept as it is
    """
    risks = calibrate_out_of_fold(scores, malignant, folds)
    return Evidence(
        reference=ReferenceQuantiles(
            score=np.quantile(scores, QUANTILE_FRACTIONS),
            risk=np.quantile(calibration.apply(scores), QUANTILE_FRACTIONS),
            novelty=np.quantile(novelty, QUANTILE_FRACTIONS),
            embedding=_column_quantiles(embedding),
        ),
        conformal=ConformalCases.from_scores(scores, malignant),
        operating_points=tuple(
            _operating_point(target, scores, malignant, folds)
            for target in SENSITIVITY_TARGETS
        ),
        coverage=_conformal_coverage(scores, malignant, folds),
        calibration=calibration_curve(risks, malignant),
        decision_curves=decision_curves(risks, malignant, patients),
        left_out_sites=left_out_sites,
    )


def _column_quantiles(embedding: NDArray[np.float32]) -> Array:
    """Return the quantiles (C, 101) of each column of an embedding (N, C)."""
    quantiles: Array = np.quantile(
        embedding.astype(np.float64), QUANTILE_FRACTIONS, axis=0
    )
    return quantiles.T


def _operating_point(
    target: float, scores: Scores, malignant: Labels, folds: Sequence[Fold]
) -> OperatingPoint:
    choose_cutoff = partial(_cutoff, target=target)
    decisions = decide_out_of_fold(scores, malignant, folds, choose_cutoff)
    table = ConfusionTable.from_decisions(decisions, malignant)
    cutoff = sensitivity_cutoff(scores, malignant, target)
    return OperatingPoint(
        target=target,
        cutoff=cutoff.cutoff,
        promised=cutoff.promised,
        sensitivity=table.proportion(Measure.SENSITIVITY),
        specificity=table.proportion(Measure.SPECIFICITY),
    )


def _cutoff(scores: Scores, malignant: Labels, target: float) -> float:
    return sensitivity_cutoff(scores, malignant, target).cutoff


def _conformal_coverage(
    scores: Scores, malignant: Labels, folds: Sequence[Fold]
) -> tuple[ConformalCoverage, ...]:
    p_values = np.ones((len(scores), 2))
    for fold in folds:
        cases = ConformalCases.from_scores(
            scores[fold.training], malignant[fold.training]
        )
        p_values[fold.test] = cases.p_values(scores[fold.test])
    benign_p, malignant_p = p_values.T
    return conformal_coverage(benign_p, malignant_p, malignant, ALPHAS)
