"""Agreement of raters beyond chance: kappa of two raters, and of several."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from shared.statistics.cases import Floats
from shared.statistics.errors import RatingsInvalid
from shared.statistics.intervals import Interval, normal_quantile

LANDIS_KOCH = ((0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"))


class KappaWeights(StrEnum):
    """Weight of a disagreement by several ordered categories against one by a single category."""

    LINEAR = "linear"
    QUADRATIC = "quadratic"


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance: `value` is 1 for full agreement and 0 for agreement by chance.

    `standard_error` is the large-sample error, and the interval follows from it. `null_error` is
    the standard error if there is no agreement beyond chance; tests use it. If all ratings are in
    one category, agreement by chance is certain. The values are then NaN, and the interval is -1 to
    1.
    """

    value: float
    standard_error: float
    null_error: float
    interval: Interval

    @property
    def z(self) -> float:
        """Test statistic against chance.

        It is 0 if one rater uses only one category, because any agreement is then by chance.
        """
        return self.value / self.null_error if self.null_error else 0.0

    @property
    def p_value(self) -> float:
        """Two-sided P of agreement no better than chance."""
        return float(2 * ndtr(-abs(self.z)))


def cohen_kappa(
    first: ArrayLike,
    second: ArrayLike,
    weights: KappaWeights | str | None = None,
    categories: Sequence[object] | None = None,
    level: float = 0.95,
) -> Kappa:
    """Return the agreement of two raters on the same cases.

    Parameters
    ----------
    first, second : (N,) categories: numbers, names or flags
    weights : None counts every disagreement alike
    categories : all categories in order; if it is None, the sorted categories that occur. The order
        matters only with weights
    level : confidence, 0.95 for 95 %

    Raises
    ------
    RatingsInvalid

    Source: Cohen, Educ Psychol Meas 20:37 (1960) and Psychol Bull 70:213 (1968); variances by
    Fleiss, Cohen & Everitt, Psychol Bull 72:323 (1969).
    """
    ratings = np.stack(_as_two_rows(first, second))
    numbers, size = _category_numbers(ratings, categories)
    cases = numbers.shape[1]
    cells = numbers[0] * size + numbers[1]
    table = np.bincount(cells, minlength=size * size).reshape(size, size)
    share = table / cases
    agreement = _agreement_weights(size, weights)
    first_share = share.sum(1)
    second_share = share.sum(0)
    chance_share = np.outer(first_share, second_share)
    expected = float((agreement * chance_share).sum())
    if expected >= 1 - 1e-12:
        return _UNKNOWN_KAPPA
    observed = float((agreement * share).sum())
    kappa = (observed - expected) / (1 - expected)
    marginal_agreement = (agreement @ second_share)[:, np.newaxis]
    marginal_agreement = marginal_agreement + first_share @ agreement
    deviation = agreement - marginal_agreement * (1 - kappa)
    mean_deviation = kappa - expected * (1 - kappa)
    variance = (share * deviation**2).sum() - mean_deviation**2
    null_deviation = agreement - marginal_agreement
    null_variance = (chance_share * null_deviation**2).sum() - expected**2
    return _kappa(
        kappa,
        variance=variance,
        null_variance=null_variance,
        size=(1 - expected) ** 2 * cases,
        level=level,
    )


def fleiss_kappa(ratings: ArrayLike, level: float = 0.95) -> Kappa:
    """Return the agreement of several raters.

    Each case has the same number of raters, but the raters may be different persons.

    Parameters
    ----------
    ratings : (N, R) categories of N cases
    level : confidence, 0.95 for 95 %

    Raises
    ------
    RatingsInvalid

    Source: Fleiss, Psychol Bull 76:378 (1971); the error without agreement by Fleiss, Nee & Landis,
    Psychol Bull 86:974 (1979), which holds for the test only. The error for the interval is the
    linearised one of Gwet, Educ Psychol Meas 81:781 (2021), with the cases as the sample.
    """
    table = np.asarray(ratings)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 2:
        raise RatingsInvalid(problem=f"they have the shape {table.shape}")
    numbers, size = _category_numbers(table, None)
    category_counts = [(numbers == category).sum(1) for category in range(size)]
    counts = np.stack(category_counts, axis=1).astype(np.float64)
    cases, raters = numbers.shape
    share = counts.sum(0) / counts.sum()
    expected = float(share @ share)
    if expected >= 1 - 1e-12:
        return _UNKNOWN_KAPPA
    pairs = raters * (raters - 1)
    agreement = (counts * (counts - 1)).sum(1) / pairs
    kappa = (float(agreement.mean()) - expected) / (1 - expected)
    chance_excess = counts @ share / raters - expected
    agreement_part = (agreement - expected) / (1 - expected)
    chance_part = 2 * (1 - kappa) * chance_excess / (1 - expected)
    linearised = agreement_part - chance_part
    variance = float(((linearised - kappa) ** 2).sum()) / (cases - 1)
    spread = share * (1 - share)
    null_variance = (
        2
        * (spread.sum() ** 2 - (spread * (1 - 2 * share)).sum())
        / (pairs * spread.sum() ** 2)
    )
    return _kappa(
        kappa,
        variance=variance,
        null_variance=float(null_variance),
        size=cases,
        level=level,
    )


def landis_koch_label(value: float) -> str:
    """Return Landis & Koch's label of a kappa.

    The labels are poor, slight, fair, moderate, substantial and almost perfect; NaN is
    "undefined". The upper end of a division belongs to it. Source: Landis & Koch, Biometrics
    33:159 (1977), who call the divisions arbitrary.
    """
    if math.isnan(value):
        return "undefined"
    if value < 0:
        return "poor"
    for upper_end, label in LANDIS_KOCH:
        if value <= upper_end:
            return label
    return "almost perfect"


_UNKNOWN_KAPPA = Kappa(
    value=math.nan,
    standard_error=math.nan,
    null_error=math.nan,
    interval=Interval(low=-1.0, high=1.0),
)


def _kappa(
    value: float, *, variance: float, null_variance: float, size: float, level: float
) -> Kappa:
    standard_error = math.sqrt(max(variance, 0.0) / size)
    null_error = math.sqrt(max(null_variance, 0.0) / size)
    half_width = normal_quantile(level) * standard_error
    interval = Interval(
        low=max(value - half_width, -1.0), high=min(value + half_width, 1.0)
    )
    return Kappa(
        value=value,
        standard_error=standard_error,
        null_error=null_error,
        interval=interval,
    )


def _as_two_rows(first: ArrayLike, second: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    first_row = np.asarray(first)
    second_row = np.asarray(second)
    shape = first_row.shape
    if len(shape) != 1 or first_row.size == 0 or shape != second_row.shape:
        raise RatingsInvalid(
            problem=f"they have the shapes {first_row.shape} and {second_row.shape}"
        )
    return first_row, second_row


def _category_numbers(
    ratings: np.ndarray, categories: Sequence[object] | None
) -> tuple[np.ndarray, int]:
    """Return the category numbers in the shape of `ratings`, and the number of categories."""
    if ratings.dtype.kind == "f" and np.isnan(ratings).any():
        raise RatingsInvalid(problem="one is missing")
    distinct, numbers = np.unique(ratings, return_inverse=True)
    numbers = numbers.reshape(ratings.shape)
    if categories is None:
        return numbers, distinct.size
    order = list(categories)
    values = distinct.tolist()
    for value in values:
        if value not in order:
            raise RatingsInvalid(problem=f"{value!r} is no category")
    order_of_value = np.array([order.index(value) for value in values])
    return order_of_value[numbers], len(order)


def _agreement_weights(size: int, weights: KappaWeights | str | None) -> Floats:
    """Return the weights (C, C) from 1 for the same category down to 0 for the two ends."""
    if weights is None:
        return np.eye(size)
    numbers = np.arange(size)
    distance = np.abs(np.subtract.outer(numbers, numbers)) / max(size - 1, 1)
    if KappaWeights(weights) is KappaWeights.LINEAR:
        return 1 - distance
    return 1 - distance**2
