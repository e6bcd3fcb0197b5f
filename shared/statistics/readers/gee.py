"""Judges' rates on shared cases by generalised estimating equations: what L19 compared its readers with.

A logistic regression of "right" on the judge. The judgements of one case (or one patient) are a cluster with
exchangeable working correlation, and the covariance is the robust sandwich, right whatever the correlation truly is.
Source: Liang & Zeger, Biometrika 73:13 (1986).
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtr

from shared.statistics.cases import Flags, Floats
from shared.statistics.errors import GeeNotConverged, JudgementsInvalid
from shared.statistics.intervals import Interval, logit_wald, normal_quantile

MAX_STEPS = 200
TOLERANCE = 1e-11
MAX_CORRELATION_SHARE = 0.999
"""Share of the admissible range that the working correlation may fill, so that its matrix can be inverted."""

MAX_ABS_LOGIT = 15.0
"""A logit beyond which the fit is on its way to infinity: a rate of one in three million."""


@dataclass(frozen=True, eq=False)
class GeeFit:
    """`logits` (R,) of the judges' rates, their robust `covariance` (R, R), and the working `correlation`."""

    logits: Floats
    covariance: Floats
    correlation: float


@dataclass(frozen=True)
class GeeRate:
    """A judge's rate with its Wald interval on the logit scale, from `right` of `judged` cases."""

    value: float
    interval: Interval
    correct: int
    answers: int


@dataclass(frozen=True)
class GeeTest:
    """Wald test of two judges: `difference` of their rates, first minus second; the rest on the logit scale."""

    difference: float
    log_odds_ratio: float
    standard_error: float
    z: float
    p_value: float


@dataclass(frozen=True, eq=False)
class GeeRates:
    """Rates of R judges; `covariance` (R, R) and `logits` (R,) are those of their logits."""

    rates: tuple[GeeRate, ...]
    logits: Floats
    covariance: Floats
    correlation: float

    def compare(self, first: int, second: int) -> GeeTest:
        """Whether two judges, given by their rows, differ."""
        difference = self.rates[first].value - self.rates[second].value
        ratio = float(self.logits[first] - self.logits[second])
        own = self.covariance[first, first] + self.covariance[second, second]
        variance = own - 2 * self.covariance[first, second]
        if variance <= 1e-12 * own:  # two judges who answer alike
            return GeeTest(0.0, 0.0, 0.0, 0.0, 1.0)
        error = math.sqrt(variance)
        return GeeTest(
            difference,
            ratio,
            error,
            ratio / error,
            float(2 * ndtr(-abs(ratio / error))),
        )


def gee_rates(
    correct: ArrayLike,
    judged: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> GeeRates:
    """Each judge's rate of right answers with its interval, and their covariance for the test of judge against judge.

    For sensitivity pass the malignant cases, for specificity the benign ones.

    A judge who is always right, or never, has an infinite logit and stays out of the regression. The count of right
    and of wrong answers is then raised by 1/2 each, as in `logit_wald`: the interval reaches to the rate itself, and
    a comparison takes this judge as independent of the others.

    Parameters
    ----------
    correct : (R, N) bool, 0/1, or NaN where a judge did not judge
    judged : (R, N) bool, where an answer counts; None: where `correct` is not NaN
    clusters : (N,) labels of cases that belong together, such as patients; None: each case by itself
    level : confidence, 0.95 for 95 %

    Raises
    ------
    JudgementsInvalid, GeeNotConverged
    """
    tally = ClusterCounts.from_judgements(correct, judged, clusters)
    right = tally.correct.sum(0)
    total = tally.answers.sum(0)
    mixed = tally.has_both_answers
    logits = logit((right + 0.5) / (total + 1))
    covariance = np.diag(1 / (right + 0.5) + 1 / (total - right + 0.5))
    fit = (
        _fit(tally.select_judges(mixed))
        if mixed.any()
        else GeeFit(logits[mixed], covariance[:0, :0], 0.0)
    )
    logits[mixed], covariance[np.ix_(mixed, mixed)] = fit.logits, fit.covariance
    errors = np.sqrt(covariance.diagonal())
    return GeeRates(
        _rates(tally, logits, errors, level), logits, covariance, fit.correlation
    )


@dataclass(frozen=True, eq=False)
class ClusterCounts:
    """How many answers, and how many right ones, each cluster holds of each judge: (K, R) each.

    All that the equations need: a working correlation that is the same between all answers of a cluster never asks
    which answer was which.
    """

    answers: Floats
    correct: Floats

    @classmethod
    def from_judgements(
        cls, correct: ArrayLike, judged: ArrayLike | None, clusters: ArrayLike | None
    ) -> Self:
        answers, counted = _as_judgements(correct, judged)
        right = np.where(counted, answers, 0.0)
        member = _as_clusters(clusters, answers.shape[1])
        return cls(
            *(_summed(table.T.astype(np.float64), member) for table in (counted, right))
        )

    @property
    def has_both_answers(self) -> Flags:
        """Judges (R,) who were both right and wrong."""
        right: Floats = self.correct.sum(0)
        judged: Floats = self.answers.sum(0)
        return (right > 0) & (right < judged)

    def select_judges(self, chosen: Flags) -> Self:
        return type(self)(self.answers[:, chosen], self.correct[:, chosen])


def _summed(table: Floats, member: np.ndarray) -> Floats:
    """Rows of `table` (N, R) added up by cluster."""
    summed = np.zeros((int(member.max()) + 1, table.shape[1]))
    np.add.at(summed, member, table)
    return summed


def _as_judgements(
    correct: ArrayLike, judged: ArrayLike | None
) -> tuple[Floats, Flags]:
    answers = np.asarray(correct, dtype=np.float64)
    if answers.ndim != 2 or answers.size == 0:
        raise JudgementsInvalid(problem=f"they have the shape {answers.shape}")
    counted = ~np.isnan(answers) if judged is None else np.asarray(judged, dtype=bool)
    if counted.shape != answers.shape:
        raise JudgementsInvalid(
            problem=f"`judged` has the shape {counted.shape}, `correct` {answers.shape}"
        )
    if not np.isin(answers[counted], (0, 1)).all():
        raise JudgementsInvalid(problem="an answer is neither 0 nor 1")
    if not counted.any(axis=1).all():
        raise JudgementsInvalid(problem="a judge has judged no case")
    return answers, counted


def _as_clusters(clusters: ArrayLike | None, cases: int) -> np.ndarray:
    """The number of each case's cluster, (N,)."""
    if clusters is None:
        return np.arange(cases)
    labels = np.asarray(clusters)
    if labels.shape != (cases,):
        raise JudgementsInvalid(
            problem=f"clusters have the shape {labels.shape} for {cases} cases"
        )
    return np.unique(labels, return_inverse=True)[1]


def _rates(
    tally: ClusterCounts, logits: Floats, errors: Floats, level: float
) -> tuple[GeeRate, ...]:
    right, judged = (
        table.sum(0).astype(int).tolist() for table in (tally.correct, tally.answers)
    )
    reach = normal_quantile(level) * errors
    fitted = zip(
        *(expit(ends).tolist() for ends in (logits, logits - reach, logits + reach)),
        strict=True,
    )
    return tuple(
        GeeRate(value, Interval(low, high), right[judge], judged[judge])
        if tally.has_both_answers[judge]
        else _extreme(right[judge], judged[judge], level)
        for judge, (value, low, high) in enumerate(fitted)
    )


def _extreme(right: int, judged: int, level: float) -> GeeRate:
    """Of a judge who is always right, or never."""
    return GeeRate(right / judged, logit_wald(right, judged, level), right, judged)


def _fit(tally: ClusterCounts) -> GeeFit:
    """Fisher scoring for the logits, with the moment estimate of the correlation between steps."""
    logits = logit(tally.correct.sum(0) / tally.answers.sum(0))
    for _ in range(MAX_STEPS):
        correlation = _correlation(tally, expit(logits))
        information, scores = _equations(tally, expit(logits), correlation)
        step = np.linalg.solve(information, scores.sum(0))
        logits = logits + step
        if np.abs(step).max() < TOLERANCE:
            return GeeFit(logits, _sandwich(information, scores), correlation)
        if np.abs(logits).max() > MAX_ABS_LOGIT:
            break
    raise GeeNotConverged(judges=logits.size, cases=len(tally.answers))


def _correlation(tally: ClusterCounts, rates: Floats) -> float:
    """Moment estimate from the products of Pearson residuals, less one degree of freedom for each judge."""
    answers = tally.answers.sum()
    pairs = (tally.answers.sum(1) * (tally.answers.sum(1) - 1)).sum() / 2
    if pairs <= rates.size or answers <= rates.size:
        return 0.0
    residuals, squares = _residuals(tally, rates)
    scale = squares.sum() / (answers - rates.size)
    products = (residuals.sum(1) ** 2 - squares).sum() / 2
    weakest = -MAX_CORRELATION_SHARE / max(tally.answers.sum(1).max() - 1, 1)
    return float(
        np.clip(products / scale / (pairs - rates.size), weakest, MAX_CORRELATION_SHARE)
    )


def _residuals(tally: ClusterCounts, rates: Floats) -> tuple[Floats, Floats]:
    """Sums of Pearson residuals by cluster and judge (K, R), and of their squares by cluster (K,)."""
    deviation = np.sqrt(rates * (1 - rates))
    residuals = (tally.correct - tally.answers * rates) / deviation
    wrong = tally.answers - tally.correct
    squares = (tally.correct * (1 - rates) ** 2 + wrong * rates**2) / deviation**2
    return residuals, squares.sum(1)


def _equations(
    tally: ClusterCounts, rates: Floats, correlation: float
) -> tuple[Floats, Floats]:
    """Information (R, R) and each cluster's score (K, R); the exchangeable matrix is inverted by formula."""
    deviation = np.sqrt(rates * (1 - rates))
    weights = tally.answers * deviation
    shared = correlation / (1 + correlation * (tally.answers.sum(1) - 1))
    residuals, _ = _residuals(tally, rates)
    information = np.diag((weights * deviation).sum(0)) - (weights.T * shared) @ weights
    scores = (
        residuals * deviation - weights * (shared * residuals.sum(1))[:, np.newaxis]
    )
    return information / (1 - correlation), scores / (1 - correlation)


def _sandwich(information: Floats, scores: Floats) -> Floats:
    bread = np.linalg.inv(information)
    return bread @ (scores.T @ scores) @ bread
