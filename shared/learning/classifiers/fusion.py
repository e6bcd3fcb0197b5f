"""From several readers' probabilities to one score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from shared.learning.classifiers.classifiers import Labels, Scores
from shared.learning.validation.folds import Fold
from shared.recipes import FusionRule
from shared.statistics import fit_sigmoid

RIDGE_PENALTY = 0.003
"""Ridge towards equal weights. Measured: 0.001 to 0.01 do the same; from 0.03 on weak readers drag the best down."""
MIN_PROBABILITY = 1e-6
"""Probabilities are kept this far from 0 and 1, so that no reader alone can decide."""


@dataclass(frozen=True)
class Fuser:
    """A fusion rule with what it learnt.

    Attributes
    ----------
    weights : of each reader's log-odds, not negative; equal for rules that do not learn
    bias : added to the weighted log-odds
    prevalence : malignant fraction of the training images; a vote counts readers above it
    """

    rule: FusionRule
    weights: tuple[float, ...]
    bias: float
    prevalence: float

    def fuse(self, probabilities: Scores) -> Scores:
        """Each reader's calibrated probabilities (R, N) -> scores (N,) in 0 to 1."""
        match self.rule:
            case FusionRule.MEAN:
                scores: Scores = np.mean(probabilities, axis=0)
            case FusionRule.VOTE:
                scores = np.mean(probabilities > self.prevalence, axis=0)
            case FusionRule.WEIGHTED:
                scores = expit(
                    np.asarray(self.weights) @ _log_odds(probabilities) + self.bias
                )
        return scores


def fit_fuser(rule: FusionRule, probabilities: Scores, malignant: Labels) -> Fuser:
    """Learn a rule from calibrated out-of-fold probabilities (R, N).

    The weighted rule is logistic regression on the readers' log-odds with weights that cannot be negative (stacking,
    Wolpert 1992; non-negative as in Breiman, Mach Learn 24:49, 1996), drawn towards equal ones.
    """
    readers = len(probabilities)
    prevalence = float(malignant.mean())
    equal = np.full(readers, 1 / readers)
    if rule is not FusionRule.WEIGHTED:
        return Fuser(rule, tuple(equal.tolist()), 0.0, prevalence)
    evidence = _log_odds(probabilities)

    def loss(parameters: Scores) -> tuple[float, Scores]:
        weights = parameters[:-1]
        margins = parameters[:-1] @ evidence + parameters[-1]
        errors = (expit(margins) - malignant) / len(malignant)
        entropy = np.mean(np.logaddexp(0, margins) - malignant * margins)
        slopes = evidence @ errors + 2 * RIDGE_PENALTY * (weights - equal)
        return entropy + RIDGE_PENALTY * np.sum((weights - equal) ** 2), np.append(
            slopes, errors.sum()
        )

    bounds = [(0, None)] * readers + [(None, None)]
    found = minimize(
        loss, np.append(equal, 0.0), jac=True, bounds=bounds, method="L-BFGS-B"
    ).x
    return Fuser(rule, tuple(found[:-1].tolist()), float(found[-1]), prevalence)


def fuse_out_of_fold(
    rule: FusionRule, scores: Sequence[Scores], malignant: Labels, folds: Sequence[Fold]
) -> Scores:
    """Fused out-of-fold scores (N,), each fold's calibration and weights learnt on the other folds alone.

    Parameters
    ----------
    scores : each reader's out-of-fold scores (N,)
    """
    fused = np.zeros(len(malignant))
    for fold in folds:
        rows = fold.training
        labels = malignant[fold.training]
        sigmoids = [fit_sigmoid(of_one[rows], labels) for of_one in scores]
        known = np.stack(
            [
                sigmoid.apply(of_one[rows])
                for sigmoid, of_one in zip(sigmoids, scores, strict=True)
            ]
        )
        new = np.stack(
            [
                sigmoid.apply(of_one[fold.test])
                for sigmoid, of_one in zip(sigmoids, scores, strict=True)
            ]
        )
        fused[fold.test] = fit_fuser(rule, known, labels).fuse(new)
    return fused


def _log_odds(probabilities: Scores) -> Scores:
    return logit(np.clip(probabilities, MIN_PROBABILITY, 1 - MIN_PROBABILITY))
