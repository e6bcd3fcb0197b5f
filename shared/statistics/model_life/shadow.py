"""Compares a candidate with the live model on the same cases (shadow evaluation).

It measures how often the two models agree and, if the outcome is known, which of them is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Flags, Floats
from shared.statistics.discrimination.delong import delong_test
from shared.statistics.intervals import normal_quantile, wilson
from shared.statistics.readers.agreement import cohen_kappa

MALIGNANT = "malignant"
BENIGN = "benign"
REFER = "refer"
DECISIONS = (BENIGN, MALIGNANT, REFER)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class PairedPredictions:
    """Predictions of both models for the same cases; all arrays are (N,).

    Attributes
    ----------
    live_scores, scores : scores of the live model and of the candidate, higher = more likely
        malignant
    live_risks, risks : risks at the hospital's prevalence
    live_decisions, decisions : `benign`, `malignant` or `refer`
    hospitals : names of the hospitals
    made_at : when the candidate predicted the case, UTC
    malignant : 1 or 0 if the outcome is known, else NaN
    """

    live_scores: ArrayLike
    scores: ArrayLike
    live_risks: ArrayLike
    risks: ArrayLike
    live_decisions: ArrayLike
    decisions: ArrayLike
    hospitals: ArrayLike
    made_at: Sequence[datetime]
    malignant: ArrayLike


@dataclass(frozen=True)
class Differences:
    """Candidate minus live model over the cases.

    `quantiles` maps 0.05, 0.25, 0.5, 0.75 and 0.95, as text, to the quantiles of the differences.
    """

    mean: float
    sd: float | None
    quantiles: dict[str, float]


@dataclass(frozen=True)
class Agreement:
    """Cases with the same decision, and Cohen's kappa.

    Kappa is None if both models made only one kind of decision.
    """

    cases: int
    same: int
    share: float
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


@dataclass(frozen=True)
class Share:
    """`found` of `of`, with Wilson's 95 % interval.

    `value` is None if `of` is 0.
    """

    found: int
    of: int
    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class DecisionAccuracy:
    """The decisions of a model against outcomes.

    The rates cover the cases that the model decided. `referred` is the number of cases that it
    referred instead.
    """

    sensitivity: Share
    specificity: Share
    referred: int


@dataclass(frozen=True)
class AucDifference:
    """DeLong's paired comparison, candidate minus live model.

    The interval is two-sided, of 95 %.
    """

    live: float
    candidate: float
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Outcomes:
    """Results on the cases with a known outcome.

    `auc` is None with fewer than two cases of a class.
    """

    cases: int
    malignant: int
    auc: AucDifference | None
    live: DecisionAccuracy
    candidate: DecisionAccuracy


@dataclass(frozen=True)
class HospitalRow:
    hospital: str
    agreement: Agreement
    score_difference: Differences
    outcomes: Outcomes


@dataclass(frozen=True)
class WeekRow:
    """A week that begins on this Monday (UTC); `auc_so_far` covers all cases up to its end."""

    monday: str
    agreement: Agreement
    score_difference: Differences
    outcomes: Outcomes
    auc_so_far: AucDifference | None


@dataclass(frozen=True)
class Comparison:
    """The comparison of a candidate with the live model.

    `decisions` holds the number of cases by live decision and then by candidate's decision.
    """

    agreement: Agreement
    decisions: dict[str, dict[str, int]]
    score_difference: Differences
    risk_difference: Differences
    outcomes: Outcomes
    hospitals: tuple[HospitalRow, ...]
    weeks: tuple[WeekRow, ...]


def compare_models(pairs: PairedPredictions) -> Comparison | None:
    """Compare a candidate with the live model, over all cases, by hospital and by week.

    Returns None without a case. Source of the comparison of AUCs: DeLong et al. (1988), see
    `delong_test`. Cases count as independent.
    """
    table = _PairedTable(pairs)
    if not table.size:
        return None
    all_cases = np.ones(table.size, bool)
    mondays = np.array([monday(moment) for moment in pairs.made_at])
    hospitals = np.unique(table.hospitals).tolist()
    weeks = np.unique(mondays).tolist()
    return Comparison(
        agreement=table.agreement(all_cases),
        decisions=table.decision_counts(),
        score_difference=differences(table.scores - table.live_scores),
        risk_difference=differences(table.risks - table.live_risks),
        outcomes=table.outcomes(all_cases),
        hospitals=tuple(table.hospital_row(hospital) for hospital in hospitals),
        weeks=tuple(table.week_row(week, mondays) for week in weeks),
    )


def monday(moment: datetime) -> str:
    """Return the Monday of a moment's week in UTC, as in 2026-11-23."""
    day = moment.astimezone(UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def differences(values: Floats) -> Differences:
    """Return mean, standard deviation and quantiles of differences (N,).

    The standard deviation of a single value is None.
    """
    sd = float(values.std(ddof=1)) if values.size > 1 else None
    quantiles = np.quantile(values, QUANTILES)
    return Differences(
        mean=float(values.mean()),
        sd=sd,
        quantiles={
            f"{level:g}": float(quantile)
            for level, quantile in zip(QUANTILES, quantiles, strict=True)
        },
    )


class _PairedTable:
    """The predictions as arrays (N,). A `mask` (N,) selects the cases of a figure."""

    def __init__(self, pairs: PairedPredictions) -> None:
        self.live_scores = np.asarray(pairs.live_scores, np.float64)
        self.scores = np.asarray(pairs.scores, np.float64)
        self.live_risks = np.asarray(pairs.live_risks, np.float64)
        self.risks = np.asarray(pairs.risks, np.float64)
        self.live_decisions = np.asarray(pairs.live_decisions, str)
        self.decisions = np.asarray(pairs.decisions, str)
        self.hospitals = np.asarray(pairs.hospitals, str)
        malignant = np.asarray(pairs.malignant, np.float64)
        self.has_outcome = np.isfinite(malignant)
        self.malignant = malignant == 1
        self.size = self.scores.size

    def hospital_row(self, hospital: str) -> HospitalRow:
        mask = self.hospitals == hospital
        return HospitalRow(
            hospital=hospital,
            agreement=self.agreement(mask),
            score_difference=self._score_difference(mask),
            outcomes=self.outcomes(mask),
        )

    def week_row(self, week: str, mondays: np.ndarray) -> WeekRow:
        mask = mondays == week
        return WeekRow(
            monday=week,
            agreement=self.agreement(mask),
            score_difference=self._score_difference(mask),
            outcomes=self.outcomes(mask),
            auc_so_far=self._auc_difference(self.has_outcome & (mondays <= week)),
        )

    def agreement(self, mask: Flags) -> Agreement:
        decisions = self.decisions[mask]
        live_decisions = self.live_decisions[mask]
        kappa = cohen_kappa(live_decisions, decisions, categories=DECISIONS)
        is_defined = bool(np.isfinite(kappa.value))
        same_count = int((decisions == live_decisions).sum())
        return Agreement(
            cases=decisions.size,
            same=same_count,
            share=same_count / decisions.size,
            kappa=float(kappa.value) if is_defined else None,
            kappa_low=kappa.interval.low if is_defined else None,
            kappa_high=kappa.interval.high if is_defined else None,
        )

    def decision_counts(self) -> dict[str, dict[str, int]]:
        """Return the number of cases by live decision and candidate's decision."""
        counts: dict[str, dict[str, int]] = {}
        for live_decision in DECISIONS:
            candidate_decisions = self.decisions[self.live_decisions == live_decision]
            counts[live_decision] = {
                decision: int((candidate_decisions == decision).sum())
                for decision in DECISIONS
            }
        return counts

    def outcomes(self, mask: Flags) -> Outcomes:
        with_outcome = mask & self.has_outcome
        return Outcomes(
            cases=int(with_outcome.sum()),
            malignant=int((with_outcome & self.malignant).sum()),
            auc=self._auc_difference(with_outcome),
            live=self._decision_accuracy(self.live_decisions, with_outcome),
            candidate=self._decision_accuracy(self.decisions, with_outcome),
        )

    def _score_difference(self, mask: Flags) -> Differences:
        return differences((self.scores - self.live_scores)[mask])

    def _decision_accuracy(
        self, decisions: np.ndarray, mask: Flags
    ) -> DecisionAccuracy:
        decided = mask & (decisions != REFER)
        decided_malignant = decided & self.malignant
        decided_benign = decided & ~self.malignant
        true_positives = decided_malignant & (decisions == MALIGNANT)
        true_negatives = decided_benign & (decisions == BENIGN)
        return DecisionAccuracy(
            sensitivity=_share(true_positives, decided_malignant),
            specificity=_share(true_negatives, decided_benign),
            referred=int((mask & (decisions == REFER)).sum()),
        )

    def _auc_difference(self, mask: Flags) -> AucDifference | None:
        labels = self.malignant[mask]
        if min(labels.sum(), (~labels).sum()) < 2:
            return None
        test = delong_test(self.scores[mask], self.live_scores[mask], labels)
        half_width = normal_quantile(0.95) * test.standard_error
        return AucDifference(
            live=test.auc_second,
            candidate=test.auc_first,
            difference=test.difference,
            low=test.difference - half_width,
            high=test.difference + half_width,
            p_value=test.p_value,
        )


def _share(part: Flags, total: Flags) -> Share:
    """Return the share of the cases in `total` that are also in `part`."""
    part_count = int(part.sum())
    total_count = int(total.sum())
    interval = wilson(part_count, total_count)
    return Share(
        found=part_count,
        of=total_count,
        value=part_count / total_count if total_count else None,
        low=interval.low,
        high=interval.high,
    )
