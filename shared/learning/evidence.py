"""What a model knows of itself: how its training images look to it, and what it may promise.

All of it comes from fused scores that are out of fold throughout: readers, their calibration and the fusion's weights
of a fold were fitted on the other folds. They lie on the final model's scale, a calibrated probability, within the
scatter of those small fits. The final fusion's own scores of the training images lie on it exactly, but its weights
have seen the labels. Simulated with six readers fused by weight and 60 images, sets at an error of 0.1 from such scores
covered 0.87 of each class, those from scores out of fold throughout 0.92 (200 images: 0.89 and 0.91).
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
    Measure,
    OperatingPoint,
    Sigmoid,
    calibration_curve,
    conformal_coverage,
    sensitivity_cutoff,
)

Array = NDArray[np.float64]
SENSITIVITY_TARGETS = tuple(per_cent / 100 for per_cent in range(80, 100))
ALPHAS = tuple(per_cent / 100 for per_cent in range(1, 31))
QUANTILE_FRACTIONS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class ReferenceQuantiles:
    """Quantiles at 0, 1, ... 100 % over the training images, to measure drift against.

    Attributes
    ----------
    score, risk : (101,) out of fold; `risk` at the prevalence of the training images
    strangeness : (101,) out of fold
    embedding : (C, 101) along the final model's strongest components; of what that model was fitted on, so a little
        wider than unseen images of the same kind would be, the less so the more images there are
    """

    score: Array
    risk: Array
    novelty: Array
    embedding: Array


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that is kept with a model about itself.

    Attributes
    ----------
    conformal : scores out of fold by class, for the p-values of new images
    operating_points : one for each of `TARGETS`; its rates are those of folds at the cut-off of the other folds
    coverage : of conformal sets at each of `ALPHAS`, each fold judged by the other folds' scores
    calibration : stated risk against observed rate, each fold calibrated on the other folds
    """

    reference: ReferenceQuantiles
    conformal: ConformalCases
    operating_points: tuple[OperatingPoint, ...]
    coverage: tuple[ConformalCoverage, ...]
    calibration: tuple[CalibrationBin, ...]


def gather_evidence(
    scores: Scores,
    malignant: Labels,
    folds: Sequence[Fold],
    calibration: Sigmoid,
    strangeness: Scores,
    embedding: NDArray[np.float32],
) -> Evidence:
    """From fused scores (N,) and strangeness (N,), both out of fold, and embeddings (N, C) in the final model."""
    return Evidence(
        reference=ReferenceQuantiles(
            score=np.quantile(scores, QUANTILE_FRACTIONS),
            risk=np.quantile(calibration.apply(scores), QUANTILE_FRACTIONS),
            novelty=np.quantile(strangeness, QUANTILE_FRACTIONS),
            embedding=np.quantile(embedding.astype(np.float64), QUANTILE_FRACTIONS, axis=0).T,
        ),
        conformal=ConformalCases.from_scores(scores, malignant),
        operating_points=tuple(
            _point(target, scores, malignant, folds) for target in SENSITIVITY_TARGETS
        ),
        coverage=_coverage(scores, malignant, folds),
        calibration=calibration_curve(
            calibrate_out_of_fold(scores, malignant, folds), malignant
        ),
    )


def _point(
    target: float, scores: Scores, malignant: Labels, folds: Sequence[Fold]
) -> OperatingPoint:
    chosen = sensitivity_cutoff(scores, malignant, target)
    called = decide_out_of_fold(scores, malignant, folds, partial(_cutoff, target=target))
    table = ConfusionTable.from_decisions(called, malignant)
    rates = table.proportion(Measure.SENSITIVITY), table.proportion(Measure.SPECIFICITY)
    return OperatingPoint(target, chosen.cutoff, chosen.promised, *rates)


def _cutoff(scores: Scores, malignant: Labels, target: float) -> float:
    return sensitivity_cutoff(scores, malignant, target).cutoff


def _coverage(
    scores: Scores, malignant: Labels, folds: Sequence[Fold]
) -> tuple[ConformalCoverage, ...]:
    p_values = np.ones((len(scores), 2))
    for fold in folds:
        known = ConformalCases.from_scores(scores[fold.training], malignant[fold.training])
        p_values[fold.test] = known.p_values(scores[fold.test])
    benign_p, malignant_p = p_values.T
    return conformal_coverage(benign_p, malignant_p, malignant, ALPHAS)
