"""Fuses the components' probabilities into one score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from shared.learning.classifiers.classifiers import Labels, Scores
from shared.learning.validation.folds import Fold
from shared.recipes import FusionRule
from shared.statistics import Sigmoid, fit_sigmoid

RIDGE_PENALTY = 0.003
"""Penalty on the distance from equal weights.

Measured: 0.001 to 0.01 give the same results. With 0.03 or more, weak components make the result of
the best components worse.
"""
MIN_PROBABILITY = 1e-6
"""Minimum distance of probabilities from 0 and 1, so that no single component can decide."""


MIN_RISE = 0.01
"""Minimum rise of a component's log-odds over one standard deviation of its scores."""


def calibrate_component(scores: Scores, malignant: Labels) -> Sigmoid:
    """Fit Platt's sigmoid to a component's out-of-fold scores (N,); it always rises.

    A component is fitted to score malignant images higher. If its scores fall with malignancy on
    the other folds, that is chance, and turning them round would make it wrong elsewhere. Such a
    component keeps its order and hardly counts.
    """
    sigmoid = fit_sigmoid(scores, malignant)
    spread = float(scores.std())
    if not spread or sigmoid.slope * spread >= MIN_RISE:
        return sigmoid
    slope = MIN_RISE / spread
    prevalence = float(malignant.mean())
    return Sigmoid(
        slope=slope, intercept=float(logit(prevalence) - slope * scores.mean())
    )


@dataclass(frozen=True)
class Fuser:
    """A fusion rule with its learnt weights.

    Attributes
    ----------
    weights : weight of each component's log-odds, not negative; equal for rules without learning
    bias : added to the weighted log-odds
    prevalence : malignant fraction of the training images; a vote counts the components above it
    """

    rule: FusionRule
    weights: tuple[float, ...]
    bias: float
    prevalence: float

    def fuse(self, probabilities: Scores) -> Scores:
        """Fuse calibrated probabilities (R, N) of the components into scores (N,) from 0 to 1."""
        match self.rule:
            case FusionRule.MEAN:
                scores: Scores = np.mean(probabilities, axis=0)
            case FusionRule.VOTE:
                scores = np.mean(probabilities > self.prevalence, axis=0)
            case FusionRule.WEIGHTED:
                log_odds = _log_odds(probabilities)
                scores = expit(np.asarray(self.weights) @ log_odds + self.bias)
        return scores


def fit_fuser(rule: FusionRule, probabilities: Scores, malignant: Labels) -> Fuser:
    """Learn a rule from calibrated out-of-fold probabilities (R, N).

    The weighted rule is logistic regression on the components' log-odds. Its weights cannot be
    negative (stacking, Wolpert 1992; non-negative as in Breiman, Mach Learn 24:49, 1996). A ridge
    penalty draws them towards equal weights.
    """
    count = len(probabilities)
    prevalence = float(malignant.mean())
    equal_weights = np.full(count, 1 / count)
    if rule is not FusionRule.WEIGHTED:
        return Fuser(
            rule=rule,
            weights=tuple(equal_weights.tolist()),
            bias=0.0,
            prevalence=prevalence,
        )
    log_odds = _log_odds(probabilities)

    def loss(parameters: Scores) -> tuple[float, Scores]:
        """Return the penalised cross-entropy of (weights, bias), and its gradient."""
        weights = parameters[:-1]
        bias = parameters[-1]
        margins = weights @ log_odds + bias
        errors = (expit(margins) - malignant) / len(malignant)
        entropy = np.mean(np.logaddexp(0, margins) - malignant * margins)
        deviations = weights - equal_weights
        penalty = RIDGE_PENALTY * np.sum(deviations**2)
        slopes = log_odds @ errors + 2 * RIDGE_PENALTY * deviations
        return entropy + penalty, np.append(slopes, errors.sum())

    minimum = minimize(
        loss,
        np.append(equal_weights, 0.0),
        jac=True,
        bounds=[(0, None)] * count + [(None, None)],
        method="L-BFGS-B",
    )
    return Fuser(
        rule=rule,
        weights=tuple(minimum.x[:-1].tolist()),
        bias=float(minimum.x[-1]),
        prevalence=prevalence,
    )


def fuse_out_of_fold(
    rule: FusionRule,
    scores: Sequence[Scores],
    malignant: Labels,
    folds: Sequence[Fold],
    presented: Sequence[Scores] | None = None,
) -> Scores:
    """Compute the fused out-of-fold scores (N,).

    The calibration and the weights of a fold come from the other folds only.

    Parameters
    ----------
    scores : out-of-fold scores (N,) of each component
    presented : out-of-fold scores (N,) of each component for other views of the same images, which
        are fused instead; the calibration and the weights still come from `scores`
    """
    fused_scores = scores if presented is None else presented
    fused = np.zeros(len(malignant))
    for fold in folds:
        labels = malignant[fold.training]
        sigmoids = [
            calibrate_component(values[fold.training], labels) for values in scores
        ]
        training = _calibrated(sigmoids, scores, fold.training)
        test = _calibrated(sigmoids, fused_scores, fold.test)
        fuser = fit_fuser(rule, training, labels)
        fused[fold.test] = fuser.fuse(test)
    return fused


def _calibrated(
    sigmoids: Sequence[Sigmoid], scores: Sequence[Scores], rows: NDArray[np.int64]
) -> Scores:
    """Return the calibrated probabilities (R, rows) of the components."""
    pairs = zip(sigmoids, scores, strict=True)
    return np.stack([sigmoid.apply(values[rows]) for sigmoid, values in pairs])


def _log_odds(probabilities: Scores) -> Scores:
    return logit(np.clip(probabilities, MIN_PROBABILITY, 1 - MIN_PROBABILITY))
