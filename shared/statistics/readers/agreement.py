"""How far raters agree beyond chance: kappa of two, and of many."""

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
    """How a disagreement by several ordered categories counts against one by a single category."""

    LINEAR = "linear"
    QUADRATIC = "quadratic"


@dataclass(frozen=True)
class Kappa:
    """`value` 1 for full agreement and 0 for chance's, with its large-sample `standard_error` and interval.

    `null_error` is the standard error where there is no agreement beyond chance, which is what tests use. Where all
    ratings are one category agreement by chance is certain: the values are NaN, and nothing is known, -1 to 1.
    """

    value: float
    standard_error: float
    null_error: float
    interval: Interval

    @property
    def z(self) -> float:
        """Against chance; 0 where one rater uses one category only, so that chance is all there can be."""
        return self.value / self.null_error if self.null_error else 0.0

    @property
    def p_value(self) -> float:
        """Two-sided, of agreement no better than chance."""
        return float(2 * ndtr(-abs(self.z)))


def cohen_kappa(
    first: ArrayLike,
    second: ArrayLike,
    weights: KappaWeights | str | None = None,
    categories: Sequence[object] | None = None,
    level: float = 0.95,
) -> Kappa:
    """Agreement of two raters on the same cases.

    Parameters
    ----------
    first, second : (N,) categories: numbers, names or flags
    weights : None counts every disagreement alike
    categories : all there are, in order; None: those that occur, sorted. Matters to weights only
    level : confidence, 0.95 for 95 %

    Raises
    ------
    RatingsInvalid

    Source: Cohen, Educ Psychol Meas 20:37 (1960) and Psychol Bull 70:213 (1968); variances by Fleiss, Cohen & Everitt,
    Psychol Bull 72:323 (1969).
    """
    places, size = _placed(np.stack(_as_two_rows(first, second)), categories)
    share = (
        np.bincount(places[0] * size + places[1], minlength=size * size).reshape(
            size, size
        )
        / places.shape[1]
    )
    agreement = _agreement_weights(size, weights)
    of_first = share.sum(1)
    of_second = share.sum(0)
    by_chance = np.outer(of_first, of_second)
    expected = float((agreement * by_chance).sum())
    if expected >= 1 - 1e-12:
        return _UNKNOWN
    kappa = (float((agreement * share).sum()) - expected) / (1 - expected)
    pull = (agreement @ of_second)[:, np.newaxis] + of_first @ agreement
    spread = (share * (agreement - pull * (1 - kappa)) ** 2).sum() - (
        kappa - expected * (1 - kappa)
    ) ** 2
    null_spread = (by_chance * (agreement - pull) ** 2).sum() - expected**2
    return _kappa(
        kappa, spread, null_spread, (1 - expected) ** 2 * places.shape[1], level
    )


def fleiss_kappa(ratings: ArrayLike, level: float = 0.95) -> Kappa:
    """Agreement of several raters, of whom each case has the same number, though not always the same ones.

    Parameters
    ----------
    ratings : (N, R) categories of N cases
    level : confidence, 0.95 for 95 %

    Raises
    ------
    RatingsInvalid

    Source: Fleiss, Psychol Bull 76:378 (1971); error without agreement by Fleiss, Nee & Landis, Psychol Bull 86:974
    (1979), which holds for the test only. The error for the interval is the linearised one of Gwet, Educ Psychol Meas
    81:781 (2021), cases being the sample.
    """
    table = np.asarray(ratings)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 2:
        raise RatingsInvalid(problem=f"they have the shape {table.shape}")
    places, size = _placed(table, None)
    counts = np.stack(
        [(places == category).sum(1) for category in range(size)], axis=1
    ).astype(np.float64)
    cases, raters = places.shape
    share = counts.sum(0) / counts.sum()
    expected = float(share @ share)
    if expected >= 1 - 1e-12:
        return _UNKNOWN
    agreed = (counts * (counts - 1)).sum(1) / (raters * (raters - 1))
    kappa = (float(agreed.mean()) - expected) / (1 - expected)
    each = (agreed - expected) / (1 - expected) - 2 * (1 - kappa) * (
        counts @ share / raters - expected
    ) / (1 - expected)
    spread = float(((each - kappa) ** 2).sum()) / (cases - 1)
    chance = share * (1 - share)
    null_spread = (
        2
        * (chance.sum() ** 2 - (chance * (1 - 2 * share)).sum())
        / (raters * (raters - 1) * chance.sum() ** 2)
    )
    return _kappa(kappa, spread, float(null_spread), cases, level)


def landis_koch_label(value: float) -> str:
    """Landis & Koch's word for a kappa: poor, slight, fair, moderate, substantial, almost perfect.

    Source: Landis & Koch, Biometrics 33:159 (1977), who call the divisions arbitrary. Upper ends belong to the class.
    """
    if math.isnan(value):
        return "undefined"
    if value < 0:
        return "poor"
    return next((word for end, word in LANDIS_KOCH if value <= end), "almost perfect")


_UNKNOWN = Kappa(math.nan, math.nan, math.nan, Interval(-1.0, 1.0))


def _kappa(
    value: float, spread: float, null_spread: float, size: float, level: float
) -> Kappa:
    error, null_error = (
        math.sqrt(max(variance, 0.0) / size) for variance in (spread, null_spread)
    )
    reach = normal_quantile(level) * error
    return Kappa(
        value,
        error,
        null_error,
        Interval(max(value - reach, -1.0), min(value + reach, 1.0)),
    )


def _as_two_rows(first: ArrayLike, second: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    here = np.asarray(first)
    there = np.asarray(second)
    if here.ndim != 1 or here.size == 0 or here.shape != there.shape:
        raise RatingsInvalid(
            problem=f"they have the shapes {here.shape} and {there.shape}"
        )
    return here, there


def _placed(
    ratings: np.ndarray, categories: Sequence[object] | None
) -> tuple[np.ndarray, int]:
    """Each rating's place among the categories, and how many there are."""
    if ratings.dtype.kind == "f" and np.isnan(ratings).any():
        raise RatingsInvalid(problem="one is missing")
    found, places = np.unique(ratings, return_inverse=True)
    places = places.reshape(ratings.shape)
    if categories is None:
        return places, found.size
    order = list(categories)
    if strangers := [value for value in found.tolist() if value not in order]:
        raise RatingsInvalid(problem=f"{strangers[0]!r} is no category")
    return np.array([order.index(value) for value in found.tolist()])[places], len(
        order
    )


def _agreement_weights(size: int, weights: KappaWeights | str | None) -> Floats:
    """1 for the same category down to 0 for the two ends."""
    if weights is None:
        return np.eye(size)
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / max(
        size - 1, 1
    )
    return 1 - (apart if KappaWeights(weights) is KappaWeights.LINEAR else apart**2)
