"""Measures the performance of results against the known outcomes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from services.api.monitoring.quality import DECISIONS
from services.api.monitoring.schemas import (
    AucView,
    CalibrationBinView,
    CalibrationView,
    ObservedExpectedView,
    PerformanceFigures,
    PerformanceGroup,
    PerformanceStep,
    PerformanceView,
    RateView,
    ReferredView,
)
from services.api.monitoring.views import joined_column, rate, window_view
from shared.ledger.monitoring.observations import (
    Observations,
    Period,
    PeriodCount,
    VerifiedResults,
    Window,
)
from shared.statistics import (
    calibration_curve,
    delong_interval,
    expected_calibration_error,
    observed_expected,
    roc_auc,
)

Key = TypeVar("Key")
"""The type of the key by which results are grouped."""
NOT_AT_RANDOM = (
    "Outcomes are not missing at random: a nodule that was called malignant is biopsied and one "
    "called benign seldom "
    "is, so sensitivity is overstated and specificity understated; where more than the risk "
    "decided on the biopsy, the "
    "risks look too low as well (verification bias; Begg & Greenes, Biometrics 39:207, 1983). "
    "Compare `outcome_known` "
    "between the decisions to see how unequally they were verified."
)
NO_OUTCOMES = (
    "No case of this window has an outcome yet. Send them: POST /v1/cases/{id}/outcome."
)
MIN_CASES = 100
"""Minimum number of cases of each class for an external validation (Vergouwe et al., J Clin
Epidemiol 58:475, 2005).
"""
FEW_OUTCOMES = (
    f"Fewer than {MIN_CASES} malignant or benign cases have an outcome, so read the "
    "intervals, not the values."
)
SEVERAL_MODELS = (
    "Results of {count} models are pooled, whose scores may differ in scale. Add "
    "`model` to look at one."
)


def measure(
    observations: Observations, window: Window, period: Period = Period.MONTH
) -> PerformanceView:
    """Return the figures of all results in the window, of each hospital, and of each time step."""
    # Outcomes are read first. Rows written between the two queries then cannot make more
    # outcomes than results.
    verified = observations.verified(window, period)
    shares = observations.period_counts(window, period)
    names = observations.hospitals()
    by_hospital = _grouped(shares, verified, lambda row: row.hospital)
    by_period = _grouped(shares, verified, lambda row: row.period)
    all_figures = _figures(shares, verified)
    hospitals = [
        PerformanceGroup(
            hospital_id=hospital,
            hospital=names[hospital],
            figures=_figures(*by_hospital[hospital]),
        )
        for hospital in sorted(by_hospital, key=names.__getitem__)
    ]
    over_time = [
        PerformanceStep(begins=begins, figures=_figures(*by_period[begins]))
        for begins in sorted(by_period)
    ]
    return PerformanceView(
        window=window_view(window),
        all=all_figures,
        hospitals=hospitals,
        over_time=over_time,
        sentences=_sentences(all_figures),
    )


def _grouped(
    shares: Iterable[PeriodCount],
    verified: Iterable[VerifiedResults],
    key_of: Callable[[PeriodCount | VerifiedResults], Key],
) -> dict[Key, tuple[list[PeriodCount], list[VerifiedResults]]]:
    parts: dict[Key, tuple[list[PeriodCount], list[VerifiedResults]]] = defaultdict(
        lambda: ([], [])
    )
    for share in shares:
        parts[key_of(share)][0].append(share)
    for row in verified:
        parts[key_of(row)][1].append(row)
    return parts


def _figures(
    shares: Sequence[PeriodCount], verified: Sequence[VerifiedResults]
) -> PerformanceFigures:
    results: Counter[str] = Counter()
    with_outcome: Counter[str] = Counter()
    table: Counter[tuple[str, bool]] = Counter()
    """Numbers of cases by decision and true class."""
    for share in shares:
        results[share.decision] += share.results
    for part in verified:
        with_outcome[part.decision] += part.malignant.size
        table[part.decision, True] += int(part.malignant.sum())
        table[part.decision, False] += int((~part.malignant).sum())
    scores = joined_column(verified, "score")
    risks = joined_column(verified, "risk")
    malignant = joined_column(verified, "malignant")
    outcome_known = {
        decision: rate(with_outcome[decision], results[decision])
        for decision in DECISIONS
    }
    return PerformanceFigures(
        results=results.total(),
        with_outcome=rate(with_outcome.total(), results.total()),
        outcome_known=outcome_known,
        malignant=int(malignant.sum()),
        models=len({part.model for part in verified}),
        auc=_auc(scores, malignant),
        calibration=_calibration(risks, malignant) if malignant.size else None,
        sensitivity=_correct_rate(
            table, correct="malignant", wrong="benign", malignant=True
        ),
        specificity=_correct_rate(
            table, correct="benign", wrong="malignant", malignant=False
        ),
        referred=ReferredView(
            malignant=table["refer", True], benign=table["refer", False]
        ),
    )


def _correct_rate(
    table: Counter[tuple[str, bool]], correct: str, wrong: str, malignant: bool
) -> RateView:
    """Return the share of correct decisions among the cases of one true class. Referred cases do
    not count.
    """
    count_correct = table[correct, malignant]
    return rate(count_correct, count_correct + table[wrong, malignant])


def _auc(scores: np.ndarray, malignant: np.ndarray) -> AucView | None:
    if min(malignant.sum(), (~malignant).sum()) < 2:
        return None
    interval = delong_interval(scores, malignant)
    return AucView(
        value=roc_auc(scores, malignant), low=interval.low, high=interval.high
    )


def _calibration(risks: np.ndarray, malignant: np.ndarray) -> CalibrationView:
    bins = [
        CalibrationBinView(
            risk_from=risk_bin.low,
            risk_to=risk_bin.high,
            mean_risk=risk_bin.mean_probability,
            malignant=rate(risk_bin.malignant, risk_bin.count),
        )
        for risk_bin in calibration_curve(risks, malignant)
    ]
    ratio = _observed_expected(risks, malignant) if risks.any() else None
    return CalibrationView(
        ece=expected_calibration_error(risks, malignant),
        observed_expected=ratio,
        bins=bins,
    )


def _observed_expected(risks: np.ndarray, labels: np.ndarray) -> ObservedExpectedView:
    ratio = observed_expected(risks, labels)
    return ObservedExpectedView(
        observed=ratio.observed,
        expected=ratio.expected,
        ratio=ratio.ratio,
        low=ratio.interval.low,
        high=ratio.interval.high,
    )


def _sentences(figures: PerformanceFigures) -> list[str]:
    if not figures.results:
        return []
    if not figures.with_outcome.count:
        return [NO_OUTCOMES]
    sentences = [NOT_AT_RANDOM]
    benign = figures.with_outcome.count - figures.malignant
    if min(figures.malignant, benign) < MIN_CASES:
        sentences.append(FEW_OUTCOMES)
    if figures.models > 1:
        sentences.append(SEVERAL_MODELS.format(count=figures.models))
    return sentences
