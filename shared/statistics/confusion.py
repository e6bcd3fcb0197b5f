"""The confusion table of a binary test, and the rates that follow from its four counts.

A positive result is a call of malignant. A true result is confirmed by the reference.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import as_labels
from shared.statistics.errors import ScoresInvalid
from shared.statistics.intervals import INTERVALS, Interval, IntervalMethod


class Measure(StrEnum):
    ACCURACY = "accuracy"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    PPV = "ppv"
    NPV = "npv"


@dataclass(frozen=True)
class Proportion:
    """A number of successes out of a total."""

    successes: int
    total: int

    @property
    def value(self) -> float:
        """The fraction. It is NaN if the total is 0."""
        return self.successes / self.total if self.total else math.nan

    def interval(
        self, method: IntervalMethod = IntervalMethod.LOGIT_WALD, level: float = 0.95
    ) -> Interval:
        return INTERVALS[method](self.successes, self.total, level)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the counts from the values that `to_json` returned."""
        return cls(successes=values["count"], total=values["of"])

    def to_json(self) -> dict[str, Any]:
        """Return the fraction, Wilson's 95 % interval and the counts.

        The fraction is null if the total is 0.
        """
        interval = self.interval(IntervalMethod.WILSON)
        return {
            "value": self.value if self.total else None,
            "low": interval.low,
            "high": interval.high,
            "count": self.successes,
            "of": self.total,
        }


@dataclass(frozen=True)
class ConfusionTable:
    """Counts of malignant cases called malignant (tp) or benign (fn), and of benign cases called
    malignant (fp) or benign (tn).
    """

    tp: int
    fn: int
    fp: int
    tn: int

    @classmethod
    def from_decisions(cls, decisions: ArrayLike, labels: ArrayLike) -> Self:
        """Count decisions against labels.

        Parameters
        ----------
        decisions : (N,) bool or 0/1, 1 = called malignant
        labels : (N,) bool or 0/1, 1 = malignant
        """
        is_positive = as_labels(decisions)
        is_malignant = as_labels(labels)
        if is_positive.shape != is_malignant.shape:
            raise ScoresInvalid(
                problem=f"there are {is_positive.size} decisions for {is_malignant.size} labels"
            )
        return cls(
            tp=int(np.sum(is_positive & is_malignant)),
            fn=int(np.sum(~is_positive & is_malignant)),
            fp=int(np.sum(is_positive & ~is_malignant)),
            tn=int(np.sum(~is_positive & ~is_malignant)),
        )

    def proportion(self, measure: Measure) -> Proportion:
        """Return the counts behind a rate, for its interval."""
        match measure:
            case Measure.ACCURACY:
                total = self.tp + self.fn + self.fp + self.tn
                return Proportion(successes=self.tp + self.tn, total=total)
            case Measure.SENSITIVITY:
                return Proportion(successes=self.tp, total=self.tp + self.fn)
            case Measure.SPECIFICITY:
                return Proportion(successes=self.tn, total=self.tn + self.fp)
            case Measure.PPV:
                return Proportion(successes=self.tp, total=self.tp + self.fp)
            case Measure.NPV:
                return Proportion(successes=self.tn, total=self.tn + self.fn)

    @property
    def accuracy(self) -> float:
        return self.proportion(Measure.ACCURACY).value

    @property
    def sensitivity(self) -> float:
        return self.proportion(Measure.SENSITIVITY).value

    @property
    def specificity(self) -> float:
        return self.proportion(Measure.SPECIFICITY).value

    @property
    def ppv(self) -> float:
        """Positive predictive value, at the prevalence of these cases."""
        return self.proportion(Measure.PPV).value

    @property
    def npv(self) -> float:
        """Negative predictive value, at the prevalence of these cases."""
        return self.proportion(Measure.NPV).value
