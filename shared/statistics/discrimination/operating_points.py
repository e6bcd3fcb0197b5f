"""Cut-offs chosen for a target sensitivity instead of by Youden's index."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import as_cases
from shared.statistics.confusion import Proportion
from shared.statistics.errors import ProbabilityInvalid


@dataclass(frozen=True)
class SensitivityCutoff:
    """A cut-off for a target sensitivity.

    `promised` is true if there are enough malignant cases to guarantee the sensitivity.
    """

    cutoff: float
    promised: bool


@dataclass(frozen=True)
class OperatingPoint:
    """A cut-off for a target sensitivity, with its rates on cases not used to choose it."""

    target: float
    cutoff: float
    promised: bool
    sensitivity: Proportion
    specificity: Proportion

    @property
    def rule(self) -> str:
        """The name of this choice in results."""
        return f"sensitivity>={self.target:g}"

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the values that `to_json` returned."""
        return cls(
            target=values["target"],
            cutoff=values["cutoff"],
            promised=values["promised"],
            sensitivity=Proportion.from_json(values["sensitivity"]),
            specificity=Proportion.from_json(values["specificity"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the rates have Wilson's 95 % intervals."""
        return {
            "target": self.target,
            "cutoff": self.cutoff,
            "promised": self.promised,
            "sensitivity": self.sensitivity.to_json(),
            "specificity": self.specificity.to_json(),
        }


def sensitivity_cutoff(
    scores: ArrayLike, labels: ArrayLike, target: float
) -> SensitivityCutoff:
    """Return the highest cut-off that guarantees a sensitivity of `target` on new malignant cases.

    It is the k-th lowest malignant score, with k = floor((1 - target) (M + 1)). A new malignant
    case is below it with a probability of at most 1 - target, for any distribution of the scores.
    With fewer than 1 / (1 - target) - 1 malignant cases nothing is guaranteed, and the cut-off is
    their lowest score. A score at or above the cut-off is called malignant.

    Parameters
    ----------
    scores : (N,) float, of cases that the classifier was not fitted on
    labels : (N,) bool or 0/1, 1 = malignant; both classes
    target : inside (0, 1)

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid, SingleClass

    Source: the label-conditional conformal limit (see `conformal`), used as a cut-off.
    """
    if not 0 < target < 1:
        raise ProbabilityInvalid(
            what="A target sensitivity", where="between 0 and 1, both excluded"
        )
    values, malignant = as_cases(scores, labels)
    ascending = np.sort(values[malignant])
    rank = math.floor((1 - target) * (ascending.size + 1) + 1e-9)
    cutoff = float(ascending[max(rank, 1) - 1])
    return SensitivityCutoff(cutoff=cutoff, promised=rank >= 1)


def select_operating_point(
    points: Sequence[OperatingPoint], target: float
) -> OperatingPoint:
    """Return the point with the lowest target at or above `target`.

    If there is none, return the point with the highest target.
    """
    high_enough = [point for point in points if point.target >= target - 1e-9]
    if high_enough:
        return min(high_enough, key=_target)
    return max(points, key=_target)


def predictive_values(
    sensitivity: float, specificity: float, prevalence: float
) -> tuple[float, float]:
    """Return the positive and negative predictive value at a prevalence (Bayes).

    A value is NaN if no case has that call.

    Parameters
    ----------
    sensitivity, specificity, prevalence : fractions
    """
    ppv = _share(
        true_calls=sensitivity * prevalence,
        false_calls=(1 - specificity) * (1 - prevalence),
    )
    npv = _share(
        true_calls=specificity * (1 - prevalence),
        false_calls=(1 - sensitivity) * prevalence,
    )
    return ppv, npv


def _share(*, true_calls: float, false_calls: float) -> float:
    calls = true_calls + false_calls
    return true_calls / calls if calls else math.nan


def _target(point: OperatingPoint) -> float:
    return point.target
