"""How right the answers were, as far as outcomes tell."""

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
"""By what results are parted."""
NOT_AT_RANDOM = (
    "Outcomes are not missing at random: a nodule that was called malignant is biopsied and one called benign seldom "
    "is, so sensitivity is overstated and specificity understated; where more than the risk decided on the biopsy, the "
    "risks look too low as well (verification bias; Begg & Greenes, Biometrics 39:207, 1983). Compare `outcome_known` "
    "between the decisions to see how unequally they were verified."
)
NO_OUTCOMES = (
    "No case of this window has an outcome yet. Send them: POST /v1/cases/{id}/outcome."
)
FEW_CASES = 100
"""Of either class: the least for an external validation (Vergouwe et al., J Clin Epidemiol 58:475, 2005)."""
FEW = f"Fewer than {FEW_CASES} malignant or benign cases have an outcome, so read the intervals, not the values."
SEVERAL = "Results of {count} models are pooled, whose scores may differ in scale. Add `model` to look at one."


def measure(
    observations: Observations, window: Window, period: Period = Period.MONTH
) -> PerformanceView:
    """Figures of all results in the window, of each hospital, and of each step through time."""
    # In this order: what is written meanwhile then cannot make more outcomes than results.
    verified = observations.verified(window, period)
    shares = observations.period_counts(window, period)
    names = observations.hospitals()
    by_hospital = _parted(shares, verified, lambda row: row.hospital)
    by_period = _parted(shares, verified, lambda row: row.period)
    everything = _figures(shares, verified)
    return PerformanceView(
        window=window_view(window),
        all=everything,
        hospitals=[
            PerformanceGroup(
                hospital_id=hospital,
                hospital=names[hospital],
                figures=_figures(*by_hospital[hospital]),
            )
            for hospital in sorted(by_hospital, key=names.__getitem__)
        ],
        over_time=[
            PerformanceStep(begins=begins, figures=_figures(*by_period[begins]))
            for begins in sorted(by_period)
        ],
        sentences=_sentences(everything),
    )


def _parted(
    shares: Iterable[PeriodCount],
    verified: Iterable[VerifiedResults],
    key_of: Callable[[PeriodCount | VerifiedResults], Key],
) -> dict[Key, tuple[list[PeriodCount], list[VerifiedResults]]]:
    parts: dict[Key, tuple[list[PeriodCount], list[VerifiedResults]]] = defaultdict(lambda: ([], []))
    for share in shares:
        parts[key_of(share)][0].append(share)
    for row in verified:
        parts[key_of(row)][1].append(row)
    return parts


def _figures(
    shares: Sequence[PeriodCount], verified: Sequence[VerifiedResults]
) -> PerformanceFigures:
    results: Counter[str] = Counter()
    known: Counter[str] = Counter()
    table: Counter[tuple[str, bool]] = Counter()
    for share in shares:
        results[share.decision] += share.results
    for part in verified:
        known[part.decision] += part.malignant.size
        table[part.decision, True] += int(part.malignant.sum())
        table[part.decision, False] += int((~part.malignant).sum())
    scores, risks, malignant = (
        joined_column(verified, name) for name in ("score", "risk", "malignant")
    )
    return PerformanceFigures(
        results=results.total(),
        with_outcome=rate(known.total(), results.total()),
        outcome_known={
            decision: rate(known[decision], results[decision]) for decision in DECISIONS
        },
        malignant=int(malignant.sum()),
        models=len({part.model for part in verified}),
        auc=_auc(scores, malignant),
        calibration=_calibration(risks, malignant) if malignant.size else None,
        sensitivity=_called_rightly(table, "malignant", "benign", True),
        specificity=_called_rightly(table, "benign", "malignant", False),
        referred=ReferredView(
            malignant=table["refer", True], benign=table["refer", False]
        ),
    )


def _called_rightly(
    table: Counter[tuple[str, bool]], right: str, wrong: str, malignant: bool
) -> RateView:
    rightly = table[right, malignant]
    return rate(rightly, rightly + table[wrong, malignant])


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
            risk_from=each.low,
            risk_to=each.high,
            mean_risk=each.mean_probability,
            malignant=rate(each.malignant, each.count),
        )
        for each in calibration_curve(risks, malignant)
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


def _sentences(everything: PerformanceFigures) -> list[str]:
    if not everything.results:
        return []
    if not everything.with_outcome.count:
        return [NO_OUTCOMES]
    told = [NOT_AT_RANDOM]
    if (
        min(everything.malignant, everything.with_outcome.count - everything.malignant)
        < FEW_CASES
    ):
        told.append(FEW)
    if everything.models > 1:
        told.append(SEVERAL.format(count=everything.models))
    return told
