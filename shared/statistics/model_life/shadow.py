"""A candidate and the live model on the same cases: how far they agree, and which is right where that became known."""

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
    """Cases that both models read, all (N,).

    Attributes
    ----------
    live_scores, scores : of the live model and of the candidate, higher = more likely malignant
    live_risks, risks : at the hospital's prevalence
    live_decisions, decisions : `benign`, `malignant` or `refer`
    hospitals : names
    made_at : when the candidate read the case, UTC
    malignant : 1 or 0 where the outcome is known, else NaN
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
    """Candidate less live model over the cases; `quantiles` maps 0.05, 0.25, 0.5, 0.75 and 0.95 to theirs."""

    mean: float
    sd: float | None
    quantiles: dict[str, float]


@dataclass(frozen=True)
class Agreement:
    """Cases with the same decision, and Cohen's kappa; None where both gave one decision only."""

    cases: int
    same: int
    share: float
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


@dataclass(frozen=True)
class Share:
    """`found` of `of`, with Wilson's 95 % interval; `value` None where there is nothing to count."""

    found: int
    of: int
    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class DecisionAccuracy:
    """A model's decisions against outcomes: of the cases it decided, and how many it referred instead."""

    sensitivity: Share
    specificity: Share
    referred: int


@dataclass(frozen=True)
class AucDifference:
    """DeLong's paired comparison, candidate less live model, with a two-sided 95 % interval and P."""

    live: float
    candidate: float
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Outcomes:
    """What the cases with a known outcome show; `auc` None with fewer than two cases of a class."""

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
    """A week that begins on this Monday (UTC); `auc_so_far` is of all cases up to its end."""

    monday: str
    agreement: Agreement
    score_difference: Differences
    outcomes: Outcomes
    auc_so_far: AucDifference | None


@dataclass(frozen=True)
class Comparison:
    """All that can be said of a candidate beside the live model. `decisions` counts live decision -> candidate's."""

    agreement: Agreement
    decisions: dict[str, dict[str, int]]
    score_difference: Differences
    risk_difference: Differences
    outcomes: Outcomes
    hospitals: tuple[HospitalRow, ...]
    weeks: tuple[WeekRow, ...]


def compare_models(pairs: PairedPredictions) -> Comparison | None:
    """Compare a candidate with the live model, over all cases, by hospital and by week; None without a case.

    Source of the AUCs' comparison: DeLong et al. (1988), see `delong_test`. Cases count as independent.
    """
    table = _PairedTable(pairs)
    if not table.size:
        return None
    everything = np.ones(table.size, bool)
    mondays = np.array([monday(moment) for moment in pairs.made_at])
    return Comparison(
        agreement=table.agreement(everything),
        decisions=table.crossed(),
        score_difference=differences(table.scores - table.live_scores),
        risk_difference=differences(table.risks - table.live_risks),
        outcomes=table.outcomes(everything),
        hospitals=tuple(
            table.hospital(name) for name in np.unique(table.hospitals).tolist()
        ),
        weeks=tuple(table.week(day, mondays) for day in np.unique(mondays).tolist()),
    )


def monday(moment: datetime) -> str:
    """The Monday of a moment's week in UTC, as in 2026-11-23."""
    day = moment.astimezone(UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def differences(values: Floats) -> Differences:
    """Mean, standard deviation (None of a single value) and quantiles of (N,) differences."""
    spread = float(values.std(ddof=1)) if values.size > 1 else None
    cuts = np.quantile(values, QUANTILES)
    return Differences(
        float(values.mean()),
        spread,
        {f"{at:g}": float(cut) for at, cut in zip(QUANTILES, cuts, strict=True)},
    )


class _PairedTable:
    def __init__(self, pairs: PairedPredictions) -> None:
        numbers = (
            pairs.live_scores,
            pairs.scores,
            pairs.live_risks,
            pairs.risks,
            pairs.malignant,
        )
        self.live_scores, self.scores, self.live_risks, self.risks, malignant = (
            np.asarray(each, np.float64) for each in numbers
        )
        self.live_decisions = np.asarray(pairs.live_decisions, str)
        self.decisions = np.asarray(pairs.decisions, str)
        self.hospitals = np.asarray(pairs.hospitals, str)
        self.known = np.isfinite(malignant)
        self.malignant = malignant == 1
        self.size = self.scores.size

    def hospital(self, name: str) -> HospitalRow:
        here = self.hospitals == name
        return HospitalRow(
            name, self.agreement(here), self._difference(here), self.outcomes(here)
        )

    def week(self, day: str, mondays: np.ndarray) -> WeekRow:
        here = mondays == day
        so_far = self._auc(self.known & (mondays <= day))
        return WeekRow(
            day,
            self.agreement(here),
            self._difference(here),
            self.outcomes(here),
            so_far,
        )

    def agreement(self, here: Flags) -> Agreement:
        ours = self.decisions[here]
        theirs = self.live_decisions[here]
        kappa = cohen_kappa(theirs, ours, categories=DECISIONS)
        same = int((ours == theirs).sum())
        told = np.isfinite(kappa.value)
        low, high = (kappa.interval.low, kappa.interval.high) if told else (None, None)
        return Agreement(
            ours.size,
            same,
            same / ours.size,
            float(kappa.value) if told else None,
            low,
            high,
        )

    def crossed(self) -> dict[str, dict[str, int]]:
        return {
            theirs: {
                ours: int(
                    ((self.live_decisions == theirs) & (self.decisions == ours)).sum()
                )
                for ours in DECISIONS
            }
            for theirs in DECISIONS
        }

    def outcomes(self, here: Flags) -> Outcomes:
        known = here & self.known
        live, candidate = (
            self._right(decisions, known)
            for decisions in (self.live_decisions, self.decisions)
        )
        return Outcomes(
            int(known.sum()),
            int((known & self.malignant).sum()),
            self._auc(known),
            live,
            candidate,
        )

    def _difference(self, here: Flags) -> Differences:
        return differences((self.scores - self.live_scores)[here])

    def _right(self, decisions: np.ndarray, known: Flags) -> DecisionAccuracy:
        decided = known & (decisions != REFER)
        found = decided & self.malignant & (decisions == MALIGNANT)
        spared = decided & ~self.malignant & (decisions == BENIGN)
        return DecisionAccuracy(
            _share(found, decided & self.malignant),
            _share(spared, decided & ~self.malignant),
            int((known & (decisions == REFER)).sum()),
        )

    def _auc(self, known: Flags) -> AucDifference | None:
        labels = self.malignant[known]
        if min(labels.sum(), (~labels).sum()) < 2:
            return None
        test = delong_test(self.scores[known], self.live_scores[known], labels)
        reach = normal_quantile(0.95) * test.standard_error
        low = test.difference - reach
        high = test.difference + reach
        return AucDifference(
            test.auc_second, test.auc_first, test.difference, low, high, test.p_value
        )


def _share(part: Flags, whole: Flags) -> Share:
    found = int(part.sum())
    of = int(whole.sum())
    interval = wilson(found, of)
    return Share(found, of, found / of if of else None, interval.low, interval.high)
