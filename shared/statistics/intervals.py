"""Confidence intervals of a proportion, and of any estimate on the logit scale."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from scipy.special import expit, logit, ndtri


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval, as fractions."""

    low: float
    high: float


class IntervalMethod(StrEnum):
    LOGIT_WALD = "logit-wald"
    WILSON = "wilson"


def normal_quantile(level: float) -> float:
    """z of a two-sided interval: 1.96 at a level of 0.95."""
    return float(ndtri((1 + level) / 2))


def logit_interval(
    estimate: float, standard_error: float, level: float = 0.95
) -> Interval:
    """Wald interval of a fraction inside (0, 1) on the logit scale.

    Parameters
    ----------
    estimate : fraction
    standard_error : of the estimate itself; carried to the logit scale by the delta method
    level : confidence, 0.95 for 95 %
    """
    reach = normal_quantile(level) * standard_error / (estimate * (1 - estimate))
    centre = logit(estimate)
    return Interval(float(expit(centre - reach)), float(expit(centre + reach)))


def logit_wald(successes: int, total: int, level: float = 0.95) -> Interval:
    """Wald interval of a proportion on the logit scale, as logistic regression gives it (Agresti 2013, 3.1).

    At 0 or `total` successes the logit is infinite: both counts are then raised by 1/2 (Haldane, Anscombe) and the
    interval reaches to the estimate. Without cases nothing is known: 0 to 1.
    """
    if total == 0:
        return Interval(0.0, 1.0)
    if 0 < successes < total:
        return _logit_wald(successes, total - successes, level)
    widened = _logit_wald(successes + 0.5, total - successes + 0.5, level)
    return Interval(widened.low, 1.0) if successes else Interval(0.0, widened.high)


def wilson(successes: int, total: int, level: float = 0.95) -> Interval:
    """Score interval of a proportion (Wilson 1927). Without cases nothing is known: 0 to 1."""
    if total == 0:
        return Interval(0.0, 1.0)
    z = normal_quantile(level)
    fraction = successes / total
    shrink = 1 + z * z / total
    centre = (fraction + z * z / (2 * total)) / shrink
    reach = (
        z
        * math.sqrt(fraction * (1 - fraction) / total + z * z / (4 * total * total))
        / shrink
    )
    low = 0.0 if successes == 0 else centre - reach
    return Interval(low, 1.0 if successes == total else centre + reach)


INTERVALS: dict[IntervalMethod, Callable[[int, int, float], Interval]] = {
    IntervalMethod.LOGIT_WALD: logit_wald,
    IntervalMethod.WILSON: wilson,
}


def _logit_wald(successes: float, failures: float, level: float) -> Interval:
    centre = math.log(successes / failures)
    reach = normal_quantile(level) * math.sqrt(1 / successes + 1 / failures)
    return Interval(float(expit(centre - reach)), float(expit(centre + reach)))
