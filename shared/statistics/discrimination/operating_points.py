"""Cut-offs chosen for a sensitivity instead of by Youden's index."""

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
    """A cut-off; `promised` says whether there were malignant cases enough to promise its sensitivity."""

    cutoff: float
    promised: bool


@dataclass(frozen=True)
class OperatingPoint:
    """A cut-off for a target sensitivity, with what was observed on cases that had no part in choosing it."""

    target: float
    cutoff: float
    promised: bool
    sensitivity: Proportion
    specificity: Proportion

    @property
    def rule(self) -> str:
        """What results name the choice."""
        return f"sensitivity>={self.target:g}"

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """From what `to_json` gave."""
        rates = (
            Proportion(values[name]["count"], values[name]["of"])
            for name in ("sensitivity", "specificity")
        )
        return cls(values["target"], values["cutoff"], values["promised"], *rates)

    def to_json(self) -> dict[str, Any]:
        """Rates with Wilson's 95 % intervals."""
        rates = {
            "sensitivity": self.sensitivity.to_json(),
            "specificity": self.specificity.to_json(),
        }
        return {
            "target": self.target,
            "cutoff": self.cutoff,
            "promised": self.promised,
            **rates,
        }


def sensitivity_cutoff(
    scores: ArrayLike, labels: ArrayLike, target: float
) -> SensitivityCutoff:
    """The highest cut-off that a share of `target` of new malignant cases can be promised to reach.

    It is the k-th lowest malignant score, k = floor((1 - target) (M + 1)): a new malignant case lies below it with a
    chance of at most 1 - target, whatever the scores' distribution. Fewer than 1 / (1 - target) - 1 malignant cases
    can promise nothing; the cut-off is then their lowest score. A score at or above it is called malignant.

    Parameters
    ----------
    scores : (N,) float, of cases that the classifier was not fitted on
    labels : (N,) bool or 0/1, 1 = malignant; both classes
    target : inside (0, 1)

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid, SingleClass

    Source: the label-conditional conformal limit (see `conformal`), read as a cut-off.
    """
    if not 0 < target < 1:
        raise ProbabilityInvalid(
            what="A target sensitivity", where="between 0 and 1, both excluded"
        )
    values, malignant = as_cases(scores, labels)
    ordered = np.sort(values[malignant])
    place = math.floor((1 - target) * (ordered.size + 1) + 1e-9)
    return SensitivityCutoff(float(ordered[max(place, 1) - 1]), place >= 1)


def select_operating_point(points: Sequence[OperatingPoint], target: float) -> OperatingPoint:
    """The point of the least target that is not below this one; of the greatest where none is that high."""
    reached = [point for point in points if point.target >= target - 1e-9]
    return min(reached or [max(points, key=_target)], key=_target)


def predictive_values(
    sensitivity: float, specificity: float, prevalence: float
) -> tuple[float, float]:
    """Positive and negative predictive value at a prevalence (Bayes); NaN where nobody would be called so.

    Parameters
    ----------
    sensitivity, specificity, prevalence : fractions
    """
    positive = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    negative = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return _share(*positive), _share(*negative)


def _share(right: float, wrong: float) -> float:
    return right / (right + wrong) if right + wrong else math.nan


def _target(point: OperatingPoint) -> float:
    return point.target
