"""The four counts behind every rate of a test. Positive = called malignant; true = confirmed by the reference."""

import math
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
    """Some out of a total."""

    successes: int
    total: int

    @property
    def value(self) -> float:
        """The fraction; NaN where there is nothing to count."""
        return self.successes / self.total if self.total else math.nan

    def interval(
        self, method: IntervalMethod = IntervalMethod.LOGIT_WALD, level: float = 0.95
    ) -> Interval:
        return INTERVALS[method](self.successes, self.total, level)

    def to_json(self) -> dict[str, Any]:
        """The fraction (null where there is nothing to count), Wilson's 95 % interval and the counts."""
        interval = self.interval(IntervalMethod.WILSON)
        counts = {"count": self.successes, "of": self.total}
        return {
            "value": self.value if self.total else None,
            "low": interval.low,
            "high": interval.high,
            **counts,
        }


@dataclass(frozen=True)
class ConfusionTable:
    """Malignant called malignant (tp) or benign (fn), benign called malignant (fp) or benign (tn)."""

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
        called = as_labels(decisions)
        malignant = as_labels(labels)
        if called.shape != malignant.shape:
            raise ScoresInvalid(
                problem=f"there are {called.size} decisions for {malignant.size} labels"
            )
        return cls(
            tp=int(np.sum(called & malignant)),
            fn=int(np.sum(~called & malignant)),
            fp=int(np.sum(called & ~malignant)),
            tn=int(np.sum(~called & ~malignant)),
        )

    def proportion(self, measure: Measure) -> Proportion:
        """The counts behind a rate, for its interval."""
        match measure:
            case Measure.ACCURACY:
                return Proportion(
                    self.tp + self.tn, self.tp + self.fn + self.fp + self.tn
                )
            case Measure.SENSITIVITY:
                return Proportion(self.tp, self.tp + self.fn)
            case Measure.SPECIFICITY:
                return Proportion(self.tn, self.tn + self.fp)
            case Measure.PPV:
                return Proportion(self.tp, self.tp + self.fp)
            case Measure.NPV:
                return Proportion(self.tn, self.tn + self.fn)

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
