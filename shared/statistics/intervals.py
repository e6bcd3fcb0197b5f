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
    """Return z of a two-sided interval: 1.96 at a level of 0.95."""
    return float(ndtri((1 + level) / 2))


def logit_interval(
    estimate: float, standard_error: float, level: float = 0.95
) -> Interval:
    """Return Wald interval of a fraction inside (0, 1) on the logit scale.

    Parameters
    ----------
    estimate : fraction
    standard_error : of the estimate itself; the delta method converts it to the logit scale
    level : confidence, 0.95 for 95 %
    """
    z = normal_quantile(level)
    half_width = z * standard_error / (estimate * (1 - estimate))
    return _logit_scale_interval(centre=logit(estimate), half_width=half_width)


def logit_wald(successes: int, total: int, level: float = 0.95) -> Interval:
    """Return the Wald interval of a proportion on the logit scale.

    The method is that of logistic regression (Agresti 2013, 3.1).

    At 0 or `total` successes the logit is infinite. Both counts are then raised by 1/2 (Haldane,
    Anscombe), and the interval is extended to the estimate. Without cases the interval is 0 to 1.
    """
    if total == 0:
        return Interval(low=0.0, high=1.0)
    if 0 < successes < total:
        return _logit_wald(successes=successes, failures=total - successes, level=level)
    raised = _logit_wald(
        successes=successes + 0.5, failures=total - successes + 0.5, level=level
    )
    if successes:
        return Interval(low=raised.low, high=1.0)
    return Interval(low=0.0, high=raised.high)


def wilson(successes: int, total: int, level: float = 0.95) -> Interval:
    """Score interval of a proportion (Wilson 1927). Without cases the interval is 0 to 1."""
    if total == 0:
        return Interval(low=0.0, high=1.0)
    z = normal_quantile(level)
    fraction = successes / total
    denominator = 1 + z * z / total
    centre = (fraction + z * z / (2 * total)) / denominator
    variance = fraction * (1 - fraction) / total + z * z / (4 * total * total)
    half_width = z * math.sqrt(variance) / denominator
    low = 0.0 if successes == 0 else centre - half_width
    high = 1.0 if successes == total else centre + half_width
    return Interval(low=low, high=high)


INTERVALS: dict[IntervalMethod, Callable[[int, int, float], Interval]] = {
    IntervalMethod.LOGIT_WALD: logit_wald,
    IntervalMethod.WILSON: wilson,
}


def _logit_wald(*, successes: float, failures: float, level: float) -> Interval:
    standard_error = math.sqrt(1 / successes + 1 / failures)
    return _logit_scale_interval(
        centre=math.log(successes / failures),
        half_width=normal_quantile(level) * standard_error,
    )


def _logit_scale_interval(*, centre: float, half_width: float) -> Interval:
    return Interval(
        low=float(expit(centre - half_width)), high=float(expit(centre + half_width))
    )
