"""What a reader study shows: each reader blind against aided, SERA alone, agreement, all readers together, time.

Every comparison is on the cases that the reader has read both ways; what all readers did together is on the cases that
all have read both ways. SERA's `refer` counts as called malignant: it lets nobody go.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TypeVar
from uuid import UUID

import numpy as np

from services.api.reader_studies.figures import (
    Agreement,
    Analysis,
    Area,
    AreaChange,
    Condition,
    Curve,
    Estimate,
    PairKappa,
    Rate,
    ReaderFigures,
    SeraFigures,
    Summary,
    Times,
)
from shared.domain.reader_studies import Phase
from shared.domain.results.prediction import Verdict
from shared.ledger.reader_studies.readings import Reading, StudyCase
from shared.statistics import (
    ConfusionTable,
    Kappa,
    Measure,
    SingleClass,
    cohen_kappa,
    compare_rates,
    delong_interval,
    delong_test,
    fleiss_kappa,
    landis_koch_label,
    obuchowski_rockette,
    roc_auc,
    roc_curve,
)
from shared.statistics.intervals import normal_quantile

Found = TypeVar("Found")
RATES = (Measure.SENSITIVITY, Measure.SPECIFICITY)


@dataclass(frozen=True)
class StudyData:
    """All that an analysis is made of; `breaches` and `seen_before` are (reader's number, case)."""

    cases: Sequence[StudyCase]
    erased: int
    readers: Sequence[int]
    readings: Sequence[Reading]
    breaches: set[tuple[int, UUID]]
    seen_before: set[tuple[int, UUID]]


class StudyAnalysis:
    def __init__(self, material: StudyData) -> None:
        self._given = material
        self._read = {
            (each.reader, each.case_id, each.phase): each for each in material.readings
        }
        self._truth = {each.case_id: each for each in material.cases}

    def analyse(self) -> Analysis:
        malignant = sum(each.malignant for each in self._given.cases)
        return Analysis(
            cases=len(self._given.cases),
            malignant=malignant,
            malignant_share=malignant / len(self._given.cases)
            if self._given.cases
            else None,
            erased=self._given.erased,
            readers=[self._reader(number) for number in self._given.readers],
            sera=self._sera(),
            agreement={phase: self._agreement(phase) for phase in Phase},
            summary=self._summary(),
        )

    def _both(self, number: int) -> list[UUID]:
        """The cases that a reader has read both ways."""
        return [
            case for case in self._truth if (number, case, Phase.AIDED) in self._read
        ]

    def _all(self) -> list[UUID]:
        return [
            case
            for case in self._truth
            if all((n, case, Phase.AIDED) in self._read for n in self._given.readers)
        ]

    def _labels(self, cases: Sequence[UUID]) -> np.ndarray:
        return np.array([self._truth[case].malignant for case in cases], bool)

    def _scores(self, number: int, cases: Sequence[UUID], phase: Phase) -> np.ndarray:
        return np.array(
            [self._read[number, case, phase].probability for case in cases], float
        )

    def _calls(self, number: int, cases: Sequence[UUID], phase: Phase) -> np.ndarray:
        return np.array(
            [self._read[number, case, phase].malignant for case in cases], bool
        )

    def _reader(self, number: int) -> ReaderFigures:
        cases = self._both(number)
        labels = self._labels(cases)
        scores, calls = (
            {p: of(number, cases, p) for p in Phase}
            for of in (self._scores, self._calls)
        )
        conditions = {p: condition(scores[p], calls[p], labels) for p in Phase}
        return ReaderFigures(
            number=number,
            cases=len(cases),
            blind=conditions[Phase.BLIND],
            aided=conditions[Phase.AIDED],
            auc_change=none_if_single_class(
                lambda: change(scores[Phase.BLIND], scores[Phase.AIDED], labels)
            ),
            mcnemar={
                rate: none_if_single_class(partial(mcnemar_p, calls, labels, rate)) for rate in RATES
            },
            seconds={p: self._times(number, p) for p in Phase},
            breaches=sum(reader == number for reader, _ in self._given.breaches),
            seen_before=sum(reader == number for reader, _ in self._given.seen_before),
        )

    def _times(self, number: int, phase: Phase) -> Times:
        """Seconds from shown to sent, less what the page was out of sight; interrupted readings left out."""
        mine = [
            each
            for each in self._given.readings
            if (each.reader, each.phase) == (number, phase)
        ]
        whole = [each for each in mine if each.showings == 1]
        return times(
            [max(each.server_ms - (each.hidden_ms or 0), 0) / 1000 for each in whole],
            len(mine) - len(whole),
        )

    def _sera(self) -> SeraFigures:
        cases = list(self._truth)
        results = [self._truth[case].result for case in cases]
        scores = np.array([result.score for result in results], float)
        calls = np.array(
            [result.decision is not Verdict.BENIGN for result in results], bool
        )
        referred = sum(result.decision is Verdict.REFER for result in results)
        figures = condition(scores, calls, self._labels(cases))
        models = sorted(
            {f"{result.model.name} {result.model.version}" for result in results}
        )
        return SeraFigures(figures=figures, referred=referred, models=models)

    def _agreement(self, phase: Phase) -> Agreement:
        everyone = self._all()
        readers = self._given.readers
        calls = [self._calls(number, everyone, phase) for number in readers]
        enough = len(everyone) > 1 and len(readers) > 1
        together = (
            kappa(fleiss_kappa(np.stack(calls, axis=1)), len(everyone))
            if enough
            else None
        )
        return Agreement(
            fleiss=together,
            pairs=[self._pair(*pair, phase) for pair in combinations(readers, 2)],
        )

    def _pair(self, first: int, second: int, phase: Phase) -> PairKappa:
        cases = [case for case in self._both(first) if case in set(self._both(second))]
        if not cases:
            return PairKappa(first=first, second=second, cohen=None)
        firsts, seconds = (
            self._calls(number, cases, phase) for number in (first, second)
        )
        agreement = kappa(cohen_kappa(firsts, seconds), len(cases))
        return PairKappa(first=first, second=second, cohen=agreement)

    def _summary(self) -> Summary | None:
        cases = self._all()
        readers = self._given.readers
        if len(readers) < 2 or not cases:
            return None
        before, after = (
            np.stack([self._scores(number, cases, phase) for number in readers])
            for phase in Phase
        )
        return none_if_single_class(lambda: summary(before, after, self._labels(cases)))


def condition(scores: np.ndarray, calls: np.ndarray, labels: np.ndarray) -> Condition:
    """One judge under one condition."""
    table = (
        ConfusionTable.from_decisions(calls, labels)
        if labels.size
        else ConfusionTable(0, 0, 0, 0)
    )
    rates = {rate: Rate(**table.proportion(rate).to_json()) for rate in RATES}
    return Condition(
        auc=none_if_single_class(lambda: area(scores, labels)),
        sensitivity=rates[Measure.SENSITIVITY],
        specificity=rates[Measure.SPECIFICITY],
        roc=none_if_single_class(lambda: curve(scores, labels)),
    )


def none_if_single_class(how: Callable[[], Found]) -> Found | None:
    """None where there are too few cases of a class for it."""
    try:
        return how()
    except SingleClass:
        return None


def area(scores: np.ndarray, labels: np.ndarray) -> Area:
    require_both_classes(labels)
    interval = delong_interval(scores, labels)
    return Area(value=roc_auc(scores, labels), low=interval.low, high=interval.high)


def curve(scores: np.ndarray, labels: np.ndarray) -> Curve:
    require_both_classes(labels, 1)
    found = roc_curve(scores, labels)
    return Curve(
        false_positive_rate=found.false_positive_rate.tolist(),
        sensitivity=found.sensitivity.tolist(),
    )


def change(blind: np.ndarray, aided: np.ndarray, labels: np.ndarray) -> AreaChange:
    """Aided minus blind; the interval is Wald's on DeLong's error of the difference."""
    require_both_classes(labels)
    found = delong_test(aided, blind, labels)
    reach = normal_quantile(0.95) * found.standard_error
    ends = {
        "low": max(found.difference - reach, -1.0),
        "high": min(found.difference + reach, 1.0),
    }
    return AreaChange(value=found.difference, p_value=found.p_value, **ends)


def mcnemar_p(
    calls: dict[Phase, np.ndarray], labels: np.ndarray, rate: Measure
) -> float:
    require_both_classes(labels, 1)
    return compare_rates(calls[Phase.BLIND], calls[Phase.AIDED], labels, rate).p_value


def summary(before: np.ndarray, after: np.ndarray, labels: np.ndarray) -> Summary:
    found = obuchowski_rockette(before, after, labels)
    freedom = (
        found.degrees_of_freedom if np.isfinite(found.degrees_of_freedom) else None
    )
    return Summary(
        blind=found.first,
        aided=found.second,
        difference=found.difference,
        low=found.interval.low,
        high=found.interval.high,
        f=found.f if np.isfinite(found.f) else None,
        degrees_of_freedom=freedom,
        p_value=found.p_value,
        readers=found.readers,
        cases=found.cases,
    )


def kappa(found: Kappa, cases: int) -> Estimate:
    value = None if np.isnan(found.value) else found.value
    ends = {"low": found.interval.low, "high": found.interval.high}
    return Estimate(value=value, words=landis_koch_label(found.value), cases=cases, **ends)


def times(seconds: Sequence[float], interrupted: int) -> Times:
    if not seconds:
        return Times(
            median=None,
            first_quartile=None,
            third_quartile=None,
            readings=0,
            interrupted=interrupted,
        )
    low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75))
    ends = {
        "median": float(middle),
        "first_quartile": float(low),
        "third_quartile": float(high),
    }
    return Times(readings=len(seconds), interrupted=interrupted, **ends)


def require_both_classes(labels: np.ndarray, needed: int = 2) -> None:
    """Raises SingleClass; no cases at all are none of either class."""
    malignant = int(labels.sum())
    if min(malignant, labels.size - malignant) < needed:
        raise SingleClass(
            needed=needed, malignant=malignant, benign=labels.size - malignant
        )
