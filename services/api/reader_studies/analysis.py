"""Analyses a reader study: each reader blind against aided, SERA alone, agreement, all readers
together, time.

A comparison of one reader uses the cases that this reader has read both blind and aided. A figure
of all readers uses the cases that all readers have read both blind and aided. SERA's `refer` counts
as malignant, because it never dismisses a patient.
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

Figure = TypeVar("Figure")
RATES = (Measure.SENSITIVITY, Measure.SPECIFICITY)


@dataclass(frozen=True)
class StudyData:
    """The data of an analysis. `breaches` and `seen_before` contain pairs of reader number and
    case.
    """

    cases: Sequence[StudyCase]
    erased: int
    readers: Sequence[int]
    """Numbers of the readers."""
    readings: Sequence[Reading]
    breaches: set[tuple[int, UUID]]
    seen_before: set[tuple[int, UUID]]


class StudyAnalysis:
    def __init__(self, data: StudyData) -> None:
        self._data = data
        self._readings = {
            (reading.reader, reading.case_id, reading.phase): reading
            for reading in data.readings
        }
        self._cases = {case.case_id: case for case in data.cases}

    def analyse(self) -> Analysis:
        data = self._data
        cases = len(data.cases)
        malignant = sum(case.malignant for case in data.cases)
        return Analysis(
            cases=cases,
            malignant=malignant,
            malignant_share=malignant / cases if cases else None,
            erased=data.erased,
            readers=[self._reader_figures(number) for number in data.readers],
            sera=self._sera_figures(),
            agreement={phase: self._agreement(phase) for phase in Phase},
            summary=self._summary(),
        )

    def _cases_of_reader(self, number: int) -> list[UUID]:
        """Return the cases that a reader has read both blind and aided. The aided reading is the
        second reading.
        """
        return [
            case
            for case in self._cases
            if (number, case, Phase.AIDED) in self._readings
        ]

    def _common_cases(self) -> list[UUID]:
        """Return the cases that every reader has read both blind and aided."""
        cases_by_reader = [
            set(self._cases_of_reader(number)) for number in self._data.readers
        ]
        return [
            case
            for case in self._cases
            if all(case in reader_cases for reader_cases in cases_by_reader)
        ]

    def _labels(self, cases: Sequence[UUID]) -> np.ndarray:
        return np.array([self._cases[case].malignant for case in cases], bool)

    def _scores(self, number: int, cases: Sequence[UUID], phase: Phase) -> np.ndarray:
        readings = [self._readings[number, case, phase] for case in cases]
        return np.array([reading.probability for reading in readings], float)

    def _calls(self, number: int, cases: Sequence[UUID], phase: Phase) -> np.ndarray:
        """Return for each case whether the reader called it malignant."""
        readings = [self._readings[number, case, phase] for case in cases]
        return np.array([reading.malignant for reading in readings], bool)

    def _reader_figures(self, number: int) -> ReaderFigures:
        cases = self._cases_of_reader(number)
        labels = self._labels(cases)
        scores = {phase: self._scores(number, cases, phase) for phase in Phase}
        calls = {phase: self._calls(number, cases, phase) for phase in Phase}
        conditions = {
            phase: condition(scores[phase], calls[phase], labels) for phase in Phase
        }
        auc_change = none_if_single_class(
            partial(area_change, scores[Phase.BLIND], scores[Phase.AIDED], labels)
        )
        mcnemar = {
            rate: none_if_single_class(partial(mcnemar_p, calls, labels, rate))
            for rate in RATES
        }
        data = self._data
        return ReaderFigures(
            number=number,
            cases=len(cases),
            blind=conditions[Phase.BLIND],
            aided=conditions[Phase.AIDED],
            auc_change=auc_change,
            mcnemar=mcnemar,
            seconds={phase: self._times(number, phase) for phase in Phase},
            breaches=sum(reader == number for reader, _ in data.breaches),
            seen_before=sum(reader == number for reader, _ in data.seen_before),
        )

    def _times(self, number: int, phase: Phase) -> Times:
        """Return the seconds from showing the case to sending the reading, without the time that
        the page was hidden.

        Interrupted readings are excluded: their case was shown more than once.
        """
        readings = [
            reading
            for reading in self._data.readings
            if reading.reader == number and reading.phase == phase
        ]
        uninterrupted = [reading for reading in readings if reading.showings == 1]
        seconds = []
        for reading in uninterrupted:
            visible_ms = reading.server_ms - (reading.hidden_ms or 0)
            seconds.append(max(visible_ms, 0) / 1000)
        return times(seconds, interrupted=len(readings) - len(uninterrupted))

    def _sera_figures(self) -> SeraFigures:
        cases = list(self._cases)
        results = [self._cases[case].result for case in cases]
        scores = np.array([result.score for result in results], float)
        calls = np.array(
            [result.decision is not Verdict.BENIGN for result in results], bool
        )
        models = {f"{result.model.name} {result.model.version}" for result in results}
        return SeraFigures(
            figures=condition(scores, calls, self._labels(cases)),
            referred=sum(result.decision is Verdict.REFER for result in results),
            models=sorted(models),
        )

    def _agreement(self, phase: Phase) -> Agreement:
        cases = self._common_cases()
        readers = self._data.readers
        fleiss = None
        if len(cases) > 1 and len(readers) > 1:
            calls = [self._calls(number, cases, phase) for number in readers]
            fleiss = kappa(fleiss_kappa(np.stack(calls, axis=1)), len(cases))
        pairs = [
            self._pair_kappa(first, second, phase)
            for first, second in combinations(readers, 2)
        ]
        return Agreement(fleiss=fleiss, pairs=pairs)

    def _pair_kappa(self, first: int, second: int, phase: Phase) -> PairKappa:
        second_cases = set(self._cases_of_reader(second))
        cases = [case for case in self._cases_of_reader(first) if case in second_cases]
        if not cases:
            return PairKappa(first=first, second=second, cohen=None)
        first_calls = self._calls(first, cases, phase)
        second_calls = self._calls(second, cases, phase)
        agreement = kappa(cohen_kappa(first_calls, second_calls), len(cases))
        return PairKappa(first=first, second=second, cohen=agreement)

    def _summary(self) -> Summary | None:
        cases = self._common_cases()
        readers = self._data.readers
        if len(readers) < 2 or not cases:
            return None
        blind = np.stack(
            [self._scores(number, cases, Phase.BLIND) for number in readers]
        )
        aided = np.stack(
            [self._scores(number, cases, Phase.AIDED) for number in readers]
        )
        return none_if_single_class(partial(summary, blind, aided, self._labels(cases)))


def condition(scores: np.ndarray, calls: np.ndarray, labels: np.ndarray) -> Condition:
    """Return the figures of one reader, or of SERA, under one condition."""
    table = ConfusionTable(0, 0, 0, 0)
    if labels.size:
        table = ConfusionTable.from_decisions(calls, labels)
    rates = {rate: Rate(**table.proportion(rate).to_json()) for rate in RATES}
    return Condition(
        auc=none_if_single_class(partial(area, scores, labels)),
        sensitivity=rates[Measure.SENSITIVITY],
        specificity=rates[Measure.SPECIFICITY],
        roc=none_if_single_class(partial(curve, scores, labels)),
    )


def none_if_single_class(compute: Callable[[], Figure]) -> Figure | None:
    """Return the computed figure, or None if a class has too few cases for it."""
    try:
        return compute()
    except SingleClass:
        return None


def area(scores: np.ndarray, labels: np.ndarray) -> Area:
    """Return the AUC with DeLong's 95 % interval. Raises SingleClass."""
    require_both_classes(labels)
    interval = delong_interval(scores, labels)
    return Area(value=roc_auc(scores, labels), low=interval.low, high=interval.high)


def curve(scores: np.ndarray, labels: np.ndarray) -> Curve:
    """Return the ROC curve. Raises SingleClass."""
    require_both_classes(labels, min_cases=1)
    roc = roc_curve(scores, labels)
    return Curve(
        false_positive_rate=roc.false_positive_rate.tolist(),
        sensitivity=roc.sensitivity.tolist(),
    )


def area_change(blind: np.ndarray, aided: np.ndarray, labels: np.ndarray) -> AreaChange:
    """Return the difference of the AUCs, aided minus blind, with DeLong's paired test.

    The interval is Wald's, with DeLong's standard error of the difference. Raises SingleClass.
    """
    require_both_classes(labels)
    test = delong_test(aided, blind, labels)
    half_width = normal_quantile(0.95) * test.standard_error
    return AreaChange(
        value=test.difference,
        p_value=test.p_value,
        low=max(test.difference - half_width, -1.0),
        high=min(test.difference + half_width, 1.0),
    )


def mcnemar_p(
    calls: dict[Phase, np.ndarray], labels: np.ndarray, rate: Measure
) -> float:
    """Return the two-sided p-value of McNemar's test, blind against aided. Raises SingleClass."""
    require_both_classes(labels, min_cases=1)
    return compare_rates(calls[Phase.BLIND], calls[Phase.AIDED], labels, rate).p_value


def summary(blind: np.ndarray, aided: np.ndarray, labels: np.ndarray) -> Summary:
    """Compare all readers together by the method of Obuchowski and Rockette.

    `blind` and `aided` are the scores, (readers, cases). Raises SingleClass.
    """
    test = obuchowski_rockette(blind, aided, labels)
    return Summary(
        blind=test.first,
        aided=test.second,
        difference=test.difference,
        low=test.interval.low,
        high=test.interval.high,
        f=_finite_or_none(test.f),
        degrees_of_freedom=_finite_or_none(test.degrees_of_freedom),
        p_value=test.p_value,
        readers=test.readers,
        cases=test.cases,
    )


def _finite_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def kappa(estimate: Kappa, cases: int) -> Estimate:
    return Estimate(
        value=None if np.isnan(estimate.value) else estimate.value,
        low=estimate.interval.low,
        high=estimate.interval.high,
        words=landis_koch_label(estimate.value),
        cases=cases,
    )


def times(seconds: Sequence[float], interrupted: int) -> Times:
    """Return the quartiles of reading times in seconds."""
    if not seconds:
        return Times(
            median=None,
            first_quartile=None,
            third_quartile=None,
            readings=0,
            interrupted=interrupted,
        )
    first, median, third = np.quantile(seconds, (0.25, 0.5, 0.75))
    return Times(
        median=float(median),
        first_quartile=float(first),
        third_quartile=float(third),
        readings=len(seconds),
        interrupted=interrupted,
    )


def require_both_classes(labels: np.ndarray, min_cases: int = 2) -> None:
    """Raises SingleClass if a class has fewer than `min_cases` cases."""
    malignant = int(labels.sum())
    benign = labels.size - malignant
    if min(malignant, benign) < min_cases:
        raise SingleClass(needed=min_cases, malignant=malignant, benign=benign)
