"""Metrics of a cross-validation. The positive class is malignant."""

from collections.abc import Callable, Sequence

import numpy as np

from shared.learning.classifiers.classifiers import Labels, Scores
from shared.learning.validation.cross_validation import calibrate_out_of_fold
from shared.learning.validation.folds import Fold
from shared.statistics import (
    ConfusionTable,
    brier_score,
    delong_interval,
    expected_calibration_error,
    roc_auc,
    youden_cutoff,
)


def component_metrics(
    label: str, scores: Scores, malignant: Labels
) -> dict[str, float]:
    """Return a component's AUC, under the name `auc LABEL`."""
    return {f"auc {label}": roc_auc(scores, malignant)}


def ensemble_metrics(
    scores: Scores, malignant: Labels, folds: Sequence[Fold]
) -> dict[str, float]:
    """Return the metrics of the fused out-of-fold scores (N,).

    The calibration and the cut-off for each fold come from the other folds.
    """
    interval = delong_interval(scores, malignant)
    risks = calibrate_out_of_fold(scores, malignant, folds)
    decisions = decide_out_of_fold(scores, malignant, folds)
    table = ConfusionTable.from_decisions(decisions, malignant)
    return {
        "auc": roc_auc(scores, malignant),
        "auc_low": interval.low,
        "auc_high": interval.high,
        "sensitivity": table.sensitivity,
        "specificity": table.specificity,
        "accuracy": table.accuracy,
        "true_positives": table.tp,
        "false_negatives": table.fn,
        "false_positives": table.fp,
        "true_negatives": table.tn,
        "brier": brier_score(risks, malignant),
        "calibration_error": expected_calibration_error(risks, malignant),
        "images": len(scores),
        "prevalence": float(malignant.mean()),
        "folds": len(folds),
    }


def decide_out_of_fold(
    scores: Scores,
    malignant: Labels,
    folds: Sequence[Fold],
    choose_cutoff: Callable[[Scores, Labels], float] = youden_cutoff,
    presented: Scores | None = None,
) -> Labels:
    """Return flags (N,) of the images that are called malignant.

    Each fold is decided at the cut-off from the other folds' scores.

    Parameters
    ----------
    choose_cutoff : computes a cut-off from scores and labels; Youden's by default
    presented : (N,) scores of other views of the same images, which are decided instead; the
        cut-off still comes from `scores`
    """
    decided_scores = scores if presented is None else presented
    decisions = np.zeros(len(scores), bool)
    for fold in folds:
        cutoff = choose_cutoff(scores[fold.training], malignant[fold.training])
        decisions[fold.test] = decided_scores[fold.test] >= cutoff
    return decisions
