"""Venn-Abers prediction: two probabilities of malignancy, between which the risk is uncertain.

A new case has a score and an unknown class. The case is added to the calibration cases once as
benign and once as malignant, and isotonic regression calibrates the scores each time. The two
values at its score, p0 and p1, are its interval. The fewer calibration cases have a similar score,
the more one added case moves the regression, and the wider is the interval.

The guarantee (Vovk & Petej, Venn-Abers predictors, UAI 2014, theorem 1): if the case is
exchangeable with the calibration cases, and the scoring function has not seen their classes, then
the value of the class that turns out to be true is perfectly calibrated: among cases whose value
(p0 of a benign case, p1 of a malignant one) is p, a share of p is malignant. It holds for any
number of cases and any scores, on average over calibration sets. It follows that among all cases
the mean of p0 is at most the share of malignant cases, and the mean of p1 at least that share. It
is no confidence interval of the risk of one patient.

SERA calibrates on out-of-fold scores, as in cross Venn-Abers prediction (Vovk, Petej & Fedorova,
Large-scale probabilistic predictors with and without guarantees of validity, NIPS 2015), but
applies them to the score of the model that was fitted on all cases. So the guarantee rests on one
more assumption: that this model's scores of new cases are distributed as the out-of-fold scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Floats
from shared.statistics.reliability.conformal import ConformalCases


@dataclass(frozen=True)
class VennAbers:
    """The calibration scores, each once, with the number of cases and of malignant cases at it.

    Attributes
    ----------
    scores : (K,) ascending
    counts, malignant : (K,)
    """

    scores: Floats
    counts: Floats
    malignant: Floats

    @classmethod
    def from_cases(cls, cases: ConformalCases) -> "VennAbers":
        """Group the calibration cases by their score."""
        scores, places = np.unique(
            np.concatenate([cases.benign, cases.malignant]), return_inverse=True
        )
        malignant_places = places[cases.benign.size :]
        return cls(
            scores=scores,
            counts=np.bincount(places, minlength=scores.size).astype(np.float64),
            malignant=np.bincount(malignant_places, minlength=scores.size).astype(
                np.float64
            ),
        )

    def intervals(self, scores: ArrayLike) -> Floats:
        """Return p0 and p1 of each case, at the prevalence of the calibration cases.

        Parameters
        ----------
        scores : (N,) float, on the scale of the calibration scores

        Returns
        -------
        (N, 2) inside [0, 1]; p0 is below p1
        """
        values = np.asarray(scores, dtype=np.float64)
        return np.array([self._interval(score) for score in values]).reshape(-1, 2)

    def _interval(self, score: float) -> tuple[float, float]:
        place = int(np.searchsorted(self.scores, score))
        counts = self.counts
        malignant = self.malignant
        if place == self.scores.size or self.scores[place] != score:
            counts = np.insert(counts, place, 0.0)
            malignant = np.insert(malignant, place, 0.0)
        counts = _with_one_more(counts, place)
        return (
            _isotonic(malignant, counts)[place],
            _isotonic(_with_one_more(malignant, place), counts)[place],
        )


def interval_around(risk: float, interval: tuple[float, float]) -> tuple[float, float]:
    """Return the interval, widened as far as needed to contain the risk.

    A wider interval keeps the inequalities of the guarantee.
    """
    low, high = interval
    return min(low, risk), max(high, risk)


def _with_one_more(counts: Floats, place: int) -> Floats:
    increased = counts.copy()
    increased[place] += 1
    return increased


def _isotonic(malignant: Floats, counts: Floats) -> Floats:
    """Return the isotonic regression of the shares `malignant / counts`, weighted by `counts`."""
    # Imported here: scipy.optimize takes long to import, and the gateway does not need it.
    from scipy.optimize import isotonic_regression

    shares: Floats = isotonic_regression(malignant / counts, weights=counts).x
    return shares
