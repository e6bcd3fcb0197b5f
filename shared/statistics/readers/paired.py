"""Tests whether two judges of the same cases are right equally often."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from shared.statistics.cases import Flags, as_labels
from shared.statistics.confusion import Measure
from shared.statistics.errors import MeasureUnpaired, ScoresInvalid, SingleClass

MIN_DISCORDANT_FOR_CHI_SQUARE = 25
"""With fewer discordant cases the exact binomial distribution is used, which is customary."""


@dataclass(frozen=True)
class McNemarTest:
    """`only_first`, `only_second`: cases that one judge alone had right; `p_value` is two-sided.

    `statistic` is the smaller of the two counts if the test is `exact`, else chi-square with one
    degree of freedom.
    """

    only_first: int
    only_second: int
    statistic: float
    p_value: float
    exact: bool


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemarTest:
    """Test whether two judges are right equally often.

    The test is the exact binomial test below 25 discordant cases, else chi-square with continuity
    correction. Without a discordant case the judges do not differ: P = 1.

    Parameters
    ----------
    first, second : (N,) bool or 0/1, whether each judge was right, for the same cases in the same
        order

    Raises
    ------
    ScoresInvalid

    Source: McNemar, Psychometrika 12:153 (1947); correction by Edwards, Psychometrika 13:185
    (1948).
    """
    first_correct, second_correct = _as_flags_of_same_cases(first, second)
    only_first = int(np.sum(first_correct & ~second_correct))
    only_second = int(np.sum(second_correct & ~first_correct))
    discordant = only_first + only_second
    exact = discordant < MIN_DISCORDANT_FOR_CHI_SQUARE
    if exact:
        smaller = min(only_first, only_second)
        statistic = float(smaller)
        p_value = _exact_p_value(smaller, discordant)
    else:
        corrected_difference = max(abs(only_first - only_second) - 1, 0)
        statistic = corrected_difference**2 / discordant
        p_value = float(chdtrc(1, statistic))
    return McNemarTest(
        only_first=only_first,
        only_second=only_second,
        statistic=statistic,
        p_value=p_value,
        exact=exact,
    )


def compare_rates(
    first_decisions: ArrayLike,
    second_decisions: ArrayLike,
    labels: ArrayLike,
    measure: Measure | str,
) -> McNemarTest:
    """Compare the sensitivity, specificity or accuracy of two judges by McNemar's test.

    Both judges judged the same cases.

    Parameters
    ----------
    first_decisions, second_decisions : (N,) bool or 0/1, 1 = called malignant
    labels : (N,) bool or 0/1, 1 = malignant
    measure : sensitivity uses the malignant cases, specificity the benign ones, accuracy all

    Raises
    ------
    MeasureUnpaired
        for predictive values, because their cases differ between the judges.
    ScoresInvalid, SingleClass
    """
    malignant = as_labels(labels)
    mask = _case_mask(Measure(measure), malignant)
    if not mask.any():
        raise SingleClass(
            needed=1, malignant=int(malignant.sum()), benign=int((~malignant).sum())
        )
    first_called, _ = _as_flags_of_same_cases(first_decisions, malignant)
    second_called, _ = _as_flags_of_same_cases(second_decisions, malignant)
    first_correct = first_called == malignant
    second_correct = second_called == malignant
    return mcnemar(first_correct[mask], second_correct[mask])


def _exact_p_value(smaller: int, discordant: int) -> float:
    """Return the two-sided P of a split of the discordant cases that is at least as uneven.

    Under the null hypothesis both sides have equal chances.
    """
    # Imported here: scipy.stats takes most of a second to import, and the gateway seldom needs it.
    from scipy.stats import binomtest

    return float(binomtest(smaller, discordant).pvalue) if discordant else 1.0


def _case_mask(measure: Measure, malignant: Flags) -> Flags:
    """Return the mask (N,) of the cases that a measure covers."""
    match measure:
        case Measure.SENSITIVITY:
            return malignant
        case Measure.SPECIFICITY:
            return ~malignant
        case Measure.ACCURACY:
            return np.ones_like(malignant)
        case _:
            raise MeasureUnpaired(measure=measure)


def _as_flags_of_same_cases(first: ArrayLike, second: ArrayLike) -> tuple[Flags, Flags]:
    first_flags = as_labels(first)
    second_flags = as_labels(second)
    if first_flags.shape != second_flags.shape:
        raise ScoresInvalid(
            problem=f"there are {first_flags.size} answers for {second_flags.size} cases"
        )
    return first_flags, second_flags
