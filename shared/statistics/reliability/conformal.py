"""Conformal prediction: sets of diagnoses that contain the true one with a stated probability.

The guarantee holds for any classifier and calibration. It holds within each class: among malignant
and among benign nodules, and not only on average. It assumes that new cases are exchangeable with
the calibration cases of their class, and that the classifier was not fitted on the calibration
cases. Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005),
label-conditional; Sadinle, Lei & Wasserman, J Am Stat Assoc 114:223 (2019).

SERA calibrates on out-of-fold scores: each score comes from a model that was fitted without the
score's fold. The sets are then applied to the score of the model that was fitted on all cases. This
is cross-conformal prediction (Vovk, Ann Math Artif Intell 74:9, 2015), and the exact guarantee is
lost. The proven error is about twice alpha at most. The observed error is alpha or less, because
the model of all cases was fitted on more cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Flags, Floats, as_cases, as_labels
from shared.statistics.confusion import Proportion
from shared.statistics.errors import ProbabilityInvalid, ScoresInvalid


@dataclass(frozen=True, eq=False)
class ConformalCases:
    """Scores of the calibration cases of each class, ascending: benign (B,) and malignant (M,).

    A high score speaks for malignancy.
    """

    benign: Floats
    malignant: Floats

    @classmethod
    def from_scores(cls, scores: ArrayLike, labels: ArrayLike) -> Self:
        """Sort the scores of calibration cases by class.

        Parameters
        ----------
        scores : (N,) float, any scale
        labels : (N,) bool or 0/1, 1 = malignant; both classes

        Raises
        ------
        ScoresInvalid, SingleClass
        """
        values, is_malignant = as_cases(scores, labels)
        return cls(
            benign=np.sort(values[~is_malignant]),
            malignant=np.sort(values[is_malignant]),
        )

    def p_values(self, scores: ArrayLike) -> Floats:
        """Compute how well each case fits the benign class (column 0) and the malignant class (1).

        The p-value is (1 + calibration cases of the class that are at least as strange) / (1 + all
        calibration cases of the class). A high score is strange among benign cases, a low score is
        strange among malignant cases. At an error of alpha, the set of a case contains each class
        whose p-value exceeds alpha.

        Parameters
        ----------
        scores : (N,) float, on the scale of the calibration cases

        Returns
        -------
        (N, 2) inside (0, 1]
        """
        values = np.asarray(scores, dtype=np.float64)
        above = self.benign.size - np.searchsorted(self.benign, values, side="left")
        below = np.searchsorted(self.malignant, values, side="right")
        benign_p = (1 + above) / (1 + self.benign.size)
        malignant_p = (1 + below) / (1 + self.malignant.size)
        return np.stack([benign_p, malignant_p], axis=-1)


@dataclass(frozen=True)
class ClassCoverage:
    """Counts of the sets of the cases of one class.

    Attributes
    ----------
    coverage : the share of the sets that contain the class of their case
    single_sets, double_sets, empty_sets : the numbers of sets with one class, with both, and with
        none
    """

    coverage: Proportion
    single_sets: int
    double_sets: int
    empty_sets: int

    @property
    def cases(self) -> int:
        return self.coverage.total

    @property
    def referrals(self) -> Proportion:
        """The cases that are referred, because a set of both or of no class decides nothing."""
        return Proportion(
            successes=self.double_sets + self.empty_sets, total=self.cases
        )

    @property
    def mean_size(self) -> float | None:
        if not self.cases:
            return None
        return (self.single_sets + 2 * self.double_sets) / self.cases

    def to_json(self) -> dict[str, Any]:
        """Return the rates with Wilson's 95 % intervals; null if there is no case."""
        return {
            "cases": self.cases,
            "coverage": self.coverage.to_json(),
            "refer": self.referrals.to_json(),
            "single": self.single_sets,
            "both": self.double_sets,
            "neither": self.empty_sets,
            "mean_size": self.mean_size,
        }


@dataclass(frozen=True)
class ConformalCoverage:
    """Coverage of sets at an error of `alpha`, for each class and overall."""

    alpha: float
    benign: ClassCoverage
    malignant: ClassCoverage

    @property
    def overall(self) -> ClassCoverage:
        """The counts of both classes together, in the mix of the cases."""
        coverage = Proportion(
            successes=self.benign.coverage.successes
            + self.malignant.coverage.successes,
            total=self.benign.cases + self.malignant.cases,
        )
        return ClassCoverage(
            coverage=coverage,
            single_sets=self.benign.single_sets + self.malignant.single_sets,
            double_sets=self.benign.double_sets + self.malignant.double_sets,
            empty_sets=self.benign.empty_sets + self.malignant.empty_sets,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `promised` is the guaranteed coverage."""
        return {
            "alpha": self.alpha,
            "promised": 1 - self.alpha,
            "benign": self.benign.to_json(),
            "malignant": self.malignant.to_json(),
            "all": self.overall.to_json(),
        }


def conformal_coverage(
    benign_p: ArrayLike,
    malignant_p: ArrayLike,
    labels: ArrayLike,
    alphas: Sequence[float],
) -> tuple[ConformalCoverage, ...]:
    """Return the observed coverage, set sizes and referral rate at each error level.

    Parameters
    ----------
    benign_p, malignant_p : (N,) p-values of both classes, as `ConformalCases.p_values` returns them
    labels : (N,) bool or 0/1, 1 = malignant; one class may be absent
    alphas : error levels, inside (0, 1)

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid
    """
    is_malignant = as_labels(labels)
    benign_column = _as_p_values(benign_p, is_malignant.shape)
    malignant_column = _as_p_values(malignant_p, is_malignant.shape)
    p_values = np.stack([benign_column, malignant_column], axis=-1)
    if not all(0 < alpha < 1 for alpha in alphas):
        raise ProbabilityInvalid(
            what="An error level", where="between 0 and 1, both excluded"
        )
    coverages = []
    for alpha in alphas:
        sets = p_values > alpha
        coverages.append(
            ConformalCoverage(
                alpha=float(alpha),
                benign=_class_coverage(sets[~is_malignant], class_column=0),
                malignant=_class_coverage(sets[is_malignant], class_column=1),
            )
        )
    return tuple(coverages)


def _class_coverage(sets: Flags, *, class_column: int) -> ClassCoverage:
    """Return the counts over the sets (N, 2) of the cases of one class."""
    cases = len(sets)
    sizes = sets.sum(1)
    single_sets = int((sizes == 1).sum())
    double_sets = int((sizes == 2).sum())
    covered = int(sets[:, class_column].sum())
    return ClassCoverage(
        coverage=Proportion(successes=covered, total=cases),
        single_sets=single_sets,
        double_sets=double_sets,
        empty_sets=cases - single_sets - double_sets,
    )


def _as_p_values(values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    p_values = np.asarray(values, dtype=np.float64)
    if p_values.shape != shape:
        raise ScoresInvalid(
            problem=f"p-values have the shape {p_values.shape}, labels {shape}"
        )
    if not np.all((p_values > 0) & (p_values <= 1)):
        raise ProbabilityInvalid(what="A p-value", where="above 0 and up to 1")
    return p_values
