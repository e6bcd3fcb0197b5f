"""Two judges on the same cases: whether the rates at which they are right differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from shared.statistics.cases import Flags, as_labels
from shared.statistics.confusion import Measure
from shared.statistics.errors import MeasureUnpaired, ScoresInvalid, SingleClass

MIN_DISCORDANT_FOR_CHI_SQUARE = 25
"""Discordant cases under which the binomial itself is used, as is the custom."""


@dataclass(frozen=True)
class McNemarTest:
    """`only_first`, `only_second`: cases that one judge alone had right; `p_value` two-sided.

    `statistic` is the smaller of the two where the test is `exact`, else chi-square on one degree of freedom.
    """

    only_first: int
    only_second: int
    statistic: float
    p_value: float
    exact: bool


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemarTest:
    """Whether two judges are right equally often.

    Exact by the binomial below 25 discordant cases, else chi-square with continuity correction. Without a discordant
    case the judges do not differ: P = 1.

    Parameters
    ----------
    first, second : (N,) bool or 0/1, whether each judge was right in the same cases, in the same order

    Raises
    ------
    ScoresInvalid

    Source: McNemar, Psychometrika 12:153 (1947); correction by Edwards, Psychometrika 13:185 (1948).
    """
    right_first, right_second = _of_the_same_cases(first, second)
    only_first = int(np.sum(right_first & ~right_second))
    only_second = int(np.sum(right_second & ~right_first))
    discordant = only_first + only_second
    if discordant < MIN_DISCORDANT_FOR_CHI_SQUARE:
        fewer = min(only_first, only_second)
        p_value = _exact_p_value(fewer, discordant)
        return McNemarTest(only_first, only_second, float(fewer), p_value, exact=True)
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / discordant
    return McNemarTest(
        only_first, only_second, statistic, float(chdtrc(1, statistic)), exact=False
    )


def compare_rates(
    first_decisions: ArrayLike,
    second_decisions: ArrayLike,
    labels: ArrayLike,
    measure: Measure | str,
) -> McNemarTest:
    """McNemar's test of two judges' sensitivity, specificity or accuracy on the same cases.

    Parameters
    ----------
    first_called, second_called : (N,) bool or 0/1, 1 = called malignant
    labels : (N,) bool or 0/1, 1 = malignant
    measure : sensitivity looks at the malignant cases, specificity at the benign ones, accuracy at all

    Raises
    ------
    MeasureUnpaired
        for predictive values, whose cases differ between the judges.
    ScoresInvalid, SingleClass
    """
    malignant = as_labels(labels)
    counted = _counted(Measure(measure), malignant)
    if not counted.any():
        raise SingleClass(
            needed=1, malignant=int(malignant.sum()), benign=int((~malignant).sum())
        )
    right_first, right_second = (
        _calls(called, malignant) == malignant
        for called in (first_decisions, second_decisions)
    )
    return mcnemar(right_first[counted], right_second[counted])


def _exact_p_value(fewer: int, discordant: int) -> float:
    """Two-sided P of a split of `discordant` cases at least as uneven, where both sides are equally likely."""
    # Here, for scipy.stats takes most of a second to import, and the gateway seldom compares.
    from scipy.stats import binomtest

    return float(binomtest(fewer, discordant).pvalue) if discordant else 1.0


def _counted(measure: Measure, malignant: Flags) -> Flags:
    match measure:
        case Measure.SENSITIVITY:
            return malignant
        case Measure.SPECIFICITY:
            return ~malignant
        case Measure.ACCURACY:
            return np.ones_like(malignant)
        case _:
            raise MeasureUnpaired(measure=measure)


def _calls(called: ArrayLike, malignant: Flags) -> Flags:
    return _of_the_same_cases(called, malignant)[0]


def _of_the_same_cases(first: ArrayLike, second: ArrayLike) -> tuple[Flags, Flags]:
    here = as_labels(first)
    there = as_labels(second)
    if here.shape != there.shape:
        raise ScoresInvalid(
            problem=f"there are {here.size} answers for {there.size} cases"
        )
    return here, there
