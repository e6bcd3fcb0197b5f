"""Compares the rates of judges on shared cases by generalised estimating equations (GEE).

L19 (Lee et al. 2019) compared readers in this way. The model is a logistic regression of a correct
answer on the judge. The judgements of one case (or one patient) are a cluster with an exchangeable
working correlation. The covariance is the robust sandwich, which is valid for any true correlation.
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
"""Share of the admissible range that the working correlation may fill, so that its matrix can be
inverted.
"""
MAX_ABS_LOGIT = 15.0
"""A logit beyond this bound diverges to infinity: it is a rate of one in three million."""


@dataclass(frozen=True, eq=False)
class GeeFit:
    """A fit for R judges.

    `logits` (R,) are the logits of the judges' rates, `covariance` (R, R) is their robust
    covariance, and `correlation` is the working correlation.
    """

    logits: Floats
    covariance: Floats
    correlation: float


@dataclass(frozen=True)
class GeeRate:
    """The rate of a judge with its Wald interval on the logit scale, and the counts behind it."""

    value: float
    interval: Interval
    correct: int
    answers: int


@dataclass(frozen=True)
class GeeTest:
    """Wald test of two judges.

    `difference` is the difference of their rates, first minus second; the other values are on the
    logit scale.
    """

    difference: float
    log_odds_ratio: float
    standard_error: float
    z: float
    p_value: float


@dataclass(frozen=True, eq=False)
class GeeRates:
    """Rates of R judges; `logits` (R,) and `covariance` (R, R) are on the logit scale."""

    rates: tuple[GeeRate, ...]
    logits: Floats
    covariance: Floats
    correlation: float

    def compare(self, first: int, second: int) -> GeeTest:
        """Test whether two judges differ; `first` and `second` are the judges' row indices."""
        difference = self.rates[first].value - self.rates[second].value
        log_odds_ratio = float(self.logits[first] - self.logits[second])
        summed_variance = (
            self.covariance[first, first] + self.covariance[second, second]
        )
        variance = summed_variance - 2 * self.covariance[first, second]
        if variance <= 1e-12 * summed_variance:  # the answers of both judges agree
            return GeeTest(
                difference=0.0,
                log_odds_ratio=0.0,
                standard_error=0.0,
                z=0.0,
                p_value=1.0,
            )
        standard_error = math.sqrt(variance)
        z = log_odds_ratio / standard_error
        return GeeTest(
            difference=difference,
            log_odds_ratio=log_odds_ratio,
            standard_error=standard_error,
            z=z,
            p_value=float(2 * ndtr(-abs(z))),
        )


def gee_rates(
    correct: ArrayLike,
    judgement_mask: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> GeeRates:
    """Compute the rate of correct answers of each judge.

    The result has intervals, and the covariance for comparisons.

    For sensitivity pass the malignant cases, for specificity the benign ones.

    A judge who is always right or never right has an infinite logit and does not enter the
    regression. The counts of correct and of wrong answers are then raised by 1/2 each, as in
    `logit_wald`. The interval is extended to the rate itself, and a comparison treats this judge as
    independent of the others.

    Parameters
    ----------
    correct : (R, N) bool, 0/1, or NaN if a judge did not judge the case
    judgement_mask : (R, N) bool, the answers that count; None if every answer that is not NaN
        counts
    clusters : (N,) labels of cases that belong together, such as patients; None if each case is a
        separate cluster
    level : confidence, 0.95 for 95 %

    Raises
    ------
    JudgementsInvalid, GeeNotConverged
    """
    counts = ClusterCounts.from_judgements(correct, judgement_mask, clusters)
    correct_answers = counts.correct.sum(0)
    answers = counts.answers.sum(0)
    regular = counts.has_both_answers
    logits = logit((correct_answers + 0.5) / (answers + 1))
    covariance = np.diag(
        1 / (correct_answers + 0.5) + 1 / (answers - correct_answers + 0.5)
    )
    correlation = 0.0
    if regular.any():
        fit = _fit(counts.select_judges(regular))
        logits[regular] = fit.logits
        covariance[np.ix_(regular, regular)] = fit.covariance
        correlation = fit.correlation
    standard_errors = np.sqrt(covariance.diagonal())
    rates = _rates(counts, logits=logits, standard_errors=standard_errors, level=level)
    return GeeRates(
        rates=rates, logits=logits, covariance=covariance, correlation=correlation
    )


@dataclass(frozen=True, eq=False)
class ClusterCounts:
    """The numbers of answers and of correct answers, by cluster and judge: (K, R) each.

    The equations need only these counts: under an exchangeable working correlation it is irrelevant
    which answer of a cluster belongs to which case.
    """

    answers: Floats
    correct: Floats

    @classmethod
    def from_judgements(
        cls,
        correct: ArrayLike,
        judgement_mask: ArrayLike | None,
        clusters: ArrayLike | None,
    ) -> Self:
        """Count judgements; the parameters are those of `gee_rates`."""
        judgements, mask = _as_judgements(correct, judgement_mask)
        masked_judgements = np.where(mask, judgements, 0.0)
        cluster_of = _as_clusters(clusters, judgements.shape[1])
        return cls(
            answers=_sum_by_cluster(mask.T.astype(np.float64), cluster_of),
            correct=_sum_by_cluster(masked_judgements.T.astype(np.float64), cluster_of),
        )

    @property
    def has_both_answers(self) -> Flags:
        """Flags (R,) of the judges who were right at least once and wrong at least once."""
        correct: Floats = self.correct.sum(0)
        answers: Floats = self.answers.sum(0)
        return (correct > 0) & (correct < answers)

    def select_judges(self, mask: Flags) -> Self:
        return type(self)(answers=self.answers[:, mask], correct=self.correct[:, mask])


def _sum_by_cluster(table: Floats, cluster_of: np.ndarray) -> Floats:
    """Return the sums (K, R) of the rows of `table` (N, R) over each cluster."""
    sums = np.zeros((int(cluster_of.max()) + 1, table.shape[1]))
    np.add.at(sums, cluster_of, table)
    return sums


def _as_judgements(
    correct: ArrayLike, judgement_mask: ArrayLike | None
) -> tuple[Floats, Flags]:
    """Return the judgements (R, N) as floats, and the mask (R, N) of the judgements that count."""
    judgements = np.asarray(correct, dtype=np.float64)
    if judgements.ndim != 2 or judgements.size == 0:
        raise JudgementsInvalid(problem=f"they have the shape {judgements.shape}")
    if judgement_mask is None:
        mask = ~np.isnan(judgements)
    else:
        mask = np.asarray(judgement_mask, dtype=bool)
    if mask.shape != judgements.shape:
        raise JudgementsInvalid(
            problem=f"the mask has the shape {mask.shape}, `correct` {judgements.shape}"
        )
    if not np.isin(judgements[mask], (0, 1)).all():
        raise JudgementsInvalid(problem="an answer is neither 0 nor 1")
    if not mask.any(axis=1).all():
        raise JudgementsInvalid(problem="a judge has judged no case")
    return judgements, mask


def _as_clusters(clusters: ArrayLike | None, cases: int) -> np.ndarray:
    """Return the number of each case's cluster, (N,)."""
    if clusters is None:
        return np.arange(cases)
    labels = np.asarray(clusters)
    if labels.shape != (cases,):
        raise JudgementsInvalid(
            problem=f"clusters have the shape {labels.shape} for {cases} cases"
        )
    return np.unique(labels, return_inverse=True)[1]


def _rates(
    counts: ClusterCounts, *, logits: Floats, standard_errors: Floats, level: float
) -> tuple[GeeRate, ...]:
    correct = counts.correct.sum(0).astype(int).tolist()
    answers = counts.answers.sum(0).astype(int).tolist()
    half_widths = normal_quantile(level) * standard_errors
    values = expit(logits).tolist()
    lows = expit(logits - half_widths).tolist()
    highs = expit(logits + half_widths).tolist()
    rates = []
    for judge, is_regular in enumerate(counts.has_both_answers):
        if is_regular:
            value = values[judge]
            interval = Interval(low=lows[judge], high=highs[judge])
        else:
            value = correct[judge] / answers[judge]
            interval = logit_wald(correct[judge], answers[judge], level)
        rates.append(
            GeeRate(
                value=value,
                interval=interval,
                correct=correct[judge],
                answers=answers[judge],
            )
        )
    return tuple(rates)


def _fit(counts: ClusterCounts) -> GeeFit:
    """Fit the logits by Fisher scoring.

    The correlation is estimated by moments between the steps.
    """
    logits = logit(counts.correct.sum(0) / counts.answers.sum(0))
    for _ in range(MAX_STEPS):
        rates = expit(logits)
        correlation = _correlation(counts, rates)
        information, scores = _equations(counts, rates, correlation)
        step = np.linalg.solve(information, scores.sum(0))
        logits = logits + step
        if np.abs(step).max() < TOLERANCE:
            return GeeFit(
                logits=logits,
                covariance=_sandwich_covariance(information, scores),
                correlation=correlation,
            )
        if np.abs(logits).max() > MAX_ABS_LOGIT:
            break
    raise GeeNotConverged(judges=logits.size, cases=len(counts.answers))


def _correlation(counts: ClusterCounts, rates: Floats) -> float:
    """Return the moment estimate from products of Pearson residuals.

    Each judge uses one degree of freedom.
    """
    answers = counts.answers.sum()
    cluster_sizes = counts.answers.sum(1)
    pairs = (cluster_sizes * (cluster_sizes - 1)).sum() / 2
    if pairs <= rates.size or answers <= rates.size:
        return 0.0
    residuals, squares = _residuals(counts, rates)
    scale = squares.sum() / (answers - rates.size)
    products = (residuals.sum(1) ** 2 - squares).sum() / 2
    estimate = products / scale / (pairs - rates.size)
    min_correlation = -MAX_CORRELATION_SHARE / max(cluster_sizes.max() - 1, 1)
    return float(np.clip(estimate, min_correlation, MAX_CORRELATION_SHARE))


def _residuals(counts: ClusterCounts, rates: Floats) -> tuple[Floats, Floats]:
    """Sum Pearson residuals by cluster and judge (K, R), and their squares by cluster (K,)."""
    deviation = np.sqrt(rates * (1 - rates))
    residuals = (counts.correct - counts.answers * rates) / deviation
    wrong = counts.answers - counts.correct
    squares = (counts.correct * (1 - rates) ** 2 + wrong * rates**2) / deviation**2
    return residuals, squares.sum(1)


def _equations(
    counts: ClusterCounts, rates: Floats, correlation: float
) -> tuple[Floats, Floats]:
    """Return the information matrix (R, R) and the score of each cluster (K, R).

    The exchangeable correlation matrix is inverted by formula.
    """
    deviation = np.sqrt(rates * (1 - rates))
    weights = counts.answers * deviation
    cluster_sizes = counts.answers.sum(1)
    cluster_factor = correlation / (1 + correlation * (cluster_sizes - 1))
    residuals, _ = _residuals(counts, rates)
    independent_information = np.diag((weights * deviation).sum(0))
    information = independent_information - (weights.T * cluster_factor) @ weights
    cluster_residuals = (cluster_factor * residuals.sum(1))[:, np.newaxis]
    scores = residuals * deviation - weights * cluster_residuals
    return information / (1 - correlation), scores / (1 - correlation)


def _sandwich_covariance(information: Floats, scores: Floats) -> Floats:
    bread = np.linalg.inv(information)
    return bread @ (scores.T @ scores) @ bread
