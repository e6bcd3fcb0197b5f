"""Sets of diagnoses that hold the true one with a stated chance, whatever the classifier and its calibration.

Conformal prediction within each class, so that the promise holds among malignant and among benign nodules and not only
on average. It supposes new cases exchangeable with the calibration cases of their class, and calibration cases that the
classifier was not fitted on.
Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005), label-conditional; Sadinle, Lei &
Wasserman, J Am Stat Assoc 114:223 (2019).

Calibrated on out-of-fold scores, whose models are each fitted without a fold, and applied to the score of the model of
all, it is cross-conformal (Vovk, Ann Math Artif Intell 74:9, 2015): the exact promise is lost. What is proven there is
an error of about twice alpha at most; what is observed is alpha or less, since the model of all has seen more cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Flags, Floats, as_cases, as_labels
from shared.statistics.confusion import Proportion
from shared.statistics.errors import ProbabilityInvalid, ScoresInvalid


@dataclass(frozen=True, eq=False)
class ConformalCases:
    """Scores of the calibration cases of each class, ascending: (B,) and (M,). A high score speaks for malignancy."""

    benign: Floats
    malignant: Floats

    @classmethod
    def from_scores(cls, scores: ArrayLike, labels: ArrayLike) -> "ConformalCases":
        """From calibration cases.

        Parameters
        ----------
        scores : (N,) float, any scale
        labels : (N,) bool or 0/1, 1 = malignant; both classes

        Raises
        ------
        ScoresInvalid, SingleClass
        """
        values, malignant = as_cases(scores, labels)
        return cls(np.sort(values[~malignant]), np.sort(values[malignant]))

    def p_values(self, scores: ArrayLike) -> Floats:
        """How well each case would fit the benign (column 0) and the malignant class (column 1).

        (1 + calibration cases of the class at least as strange) / (1 + all of them): strange among benign is a high
        score, among malignant a low one. A class is in a case's set at an error of alpha where its value exceeds alpha.

        Parameters
        ----------
        scores : (N,) float, on the calibration cases' scale

        Returns
        -------
        (N, 2) inside (0, 1]
        """
        values = np.asarray(scores, dtype=np.float64)
        above = self.benign.size - np.searchsorted(self.benign, values, side="left")
        below = np.searchsorted(self.malignant, values, side="right")
        return np.stack(
            [
                (1 + above) / (1 + self.benign.size),
                (1 + below) / (1 + self.malignant.size),
            ],
            axis=-1,
        )


@dataclass(frozen=True)
class ClassCoverage:
    """Sets of the cases of one class: how many hold that class, and what is in them."""

    covered: Proportion
    single: int
    both: int
    neither: int

    @property
    def cases(self) -> int:
        return self.covered.total

    @property
    def referred(self) -> Proportion:
        """A set of both classes or of none decides nothing."""
        return Proportion(self.both + self.neither, self.cases)

    @property
    def mean_size(self) -> float | None:
        return (self.single + 2 * self.both) / self.cases if self.cases else None

    def to_json(self) -> dict[str, Any]:
        """Rates with Wilson's 95 % intervals; null where there is no case."""
        sets = {
            "single": self.single,
            "both": self.both,
            "neither": self.neither,
            "mean_size": self.mean_size,
        }
        return {
            "cases": self.cases,
            "coverage": self.covered.to_json(),
            "refer": self.referred.to_json(),
            **sets,
        }


@dataclass(frozen=True)
class ConformalCoverage:
    """What sets at an error of `alpha` did, for each class and for all."""

    alpha: float
    benign: ClassCoverage
    malignant: ClassCoverage

    @property
    def all(self) -> ClassCoverage:
        """Of both classes, as they were mixed."""
        one = self.benign
        other = self.malignant
        covered = Proportion(
            one.covered.successes + other.covered.successes, one.cases + other.cases
        )
        return ClassCoverage(
            covered,
            one.single + other.single,
            one.both + other.both,
            one.neither + other.neither,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, `promised` being the least coverage that was stated."""
        parts = {"benign": self.benign, "malignant": self.malignant, "all": self.all}
        told = {name: part.to_json() for name, part in parts.items()}
        return {"alpha": self.alpha, "promised": 1 - self.alpha, **told}


def conformal_coverage(
    benign_p: ArrayLike,
    malignant_p: ArrayLike,
    labels: ArrayLike,
    alphas: Sequence[float],
) -> tuple[ConformalCoverage, ...]:
    """Observed coverage, set sizes and refer rate of sets at each error level.

    Parameters
    ----------
    benign_p, malignant_p : (N,) p-values of both classes, as `ConformalCases.p_values` gives them
    labels : (N,) bool or 0/1, 1 = malignant; one class may be absent
    alphas : error levels, inside (0, 1)

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid
    """
    malignant = as_labels(labels)
    p_values = np.stack(
        [
            _as_p_values(benign_p, malignant.shape),
            _as_p_values(malignant_p, malignant.shape),
        ],
        axis=-1,
    )
    if not all(0 < alpha < 1 for alpha in alphas):
        raise ProbabilityInvalid(
            what="An error level", where="between 0 and 1, both excluded"
        )
    return tuple(
        ConformalCoverage(
            float(alpha),
            _class_coverage(p_values[~malignant] > alpha, 0),
            _class_coverage(p_values[malignant] > alpha, 1),
        )
        for alpha in alphas
    )


def _class_coverage(held: Flags, own: int) -> ClassCoverage:
    """Of the sets (N, 2) of one class's cases."""
    sizes = held.sum(1)
    single = int((sizes == 1).sum())
    both = int((sizes == 2).sum())
    return ClassCoverage(
        Proportion(int(held[:, own].sum()), len(held)),
        single,
        both,
        len(held) - single - both,
    )


def _as_p_values(values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    given = np.asarray(values, dtype=np.float64)
    if given.shape != shape:
        raise ScoresInvalid(
            problem=f"p-values have the shape {given.shape}, labels {shape}"
        )
    if not np.all((given > 0) & (given <= 1)):
        raise ProbabilityInvalid(what="A p-value", where="above 0 and up to 1")
    return given
