"""The model against each person on the same images, and how far judges agree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from shared.errors import SeraError
from shared.statistics import (
    GeeRates,
    Interval,
    Kappa,
    Measure,
    cohen_kappa,
    compare_rates,
    delong_test,
    fleiss_kappa,
    gee_rates,
    landis_koch_label,
)
from shared.study.report.figures import rows_in_section, leading_row
from shared.study.report.tables import Cell, Record, Table, Value
from shared.study.report.wording import EMPTY_MARK, format_auc, format_p_value, format_percent, format_signed
from shared.study.results import Row, Section, Study

PAIRED = (Measure.SENSITIVITY, Measure.SPECIFICITY, Measure.ACCURACY)
AUC = "auc"
INTERVAL_COLUMNS = ("model_low", "model_high", "other_low", "other_high")
COLUMNS = (
    "person",
    "measure",
    "test",
    "n",
    "model",
    "other",
    "difference",
    "p_value",
    *INTERVAL_COLUMNS,
)
LEGEND = (
    "{model} against each person, on the images both judged. Differences are model minus person. McNemar: exact below "
    "25 images on which they differ, else chi-square with continuity correction. GEE: logistic regression over the "
    "model and all people at once, with an exchangeable correlation within each patient and robust errors; below its "
    "rates stand their 95 % intervals. DeLong: for people who rate. P values are two-sided and not corrected for "
    "their number."
)

AGREEMENT_LEGEND = (
    "Cohen's kappa of two judges' calls on the images both judged, Fleiss' kappa of all people on the images all "
    "judged, with 95 % intervals. Words as by Landis & Koch: up to 0.2 slight, 0.4 fair, 0.6 moderate, 0.8 "
    "substantial, above almost perfect."
)


@dataclass(frozen=True)
class Comparison:
    """The model's figure and a person's on the same images, and the test between them.

    `measure` is a rate's name or `AUC`; the intervals are GEE's.
    """

    person: str
    measure: str
    test: str
    images: int
    model_value: float
    person_value: float
    p_value: float
    model_interval: Interval | None = None
    person_interval: Interval | None = None

    @property
    def difference(self) -> float:
        return self.model_value - self.person_value

    def to_record(self) -> Record:
        """By `COLUMNS`."""
        record: dict[str, Value] = {
            "person": self.person,
            "measure": str(self.measure),
            "test": self.test,
            "n": self.images,
            "model": self.model_value,
            "other": self.person_value,
            "difference": self.difference,
            "p_value": self.p_value,
        }
        if self.model_interval and self.person_interval:
            record |= {
                "model_low": self.model_interval.low,
                "model_high": self.model_interval.high,
            }
            record |= {
                "other_low": self.person_interval.low,
                "other_high": self.person_interval.high,
            }
        return record


def comparison_table(study: Study) -> Table:
    """Without a row where there is no person, or no model to compare with."""
    model = leading_row(study)
    people = rows_in_section(study, Section.READERS)
    compared = [] if model is None or not people else _compared(study, model, people)
    return Table(
        name="comparisons",
        title="The model against people",
        legend=LEGEND.format(
            model="The model" if model is None else f"The model ({model.name})"
        ),
        head=("person", "measure", "test", "n", "model", "person's", "difference", "P"),
        rows=tuple(map(_shown, compared)),
        columns=COLUMNS,
        records=tuple(comparison.to_record() for comparison in compared),
    )


def agreement_table(study: Study) -> Table:
    """Kappa of every two judges among the model and the people, and of all people together."""
    people = rows_in_section(study, Section.READERS)
    judges = [row for row in (leading_row(study), *people) if row is not None]
    pairs = combinations(judges, 2) if people else ()
    found = [(f"{a.name} and {b.name}", "Cohen", *_cohen(a, b)) for a, b in pairs]
    if len(people) > 1:
        found.append(("all people", "Fleiss", *_fleiss(people)))
    return Table(
        name="agreement",
        title="Agreement",
        legend=AGREEMENT_LEGEND,
        head=("judges", "kappa of", "n", "kappa", "in words"),
        rows=tuple(_agreement_cells(*line) for line in found),
        columns=("judges", "kind", "n", "kappa", "low", "high"),
        records=tuple(_agreement_record(*line) for line in found),
    )


def _compared(study: Study, model: Row, people: Sequence[Row]) -> list[Comparison]:
    return _by_person(
        [
            *_mcnemar(study, model, people),
            *_gee(study, model, people),
            *_delong(study, model, people),
        ]
    )


def _mcnemar(study: Study, model: Row, people: Sequence[Row]) -> Iterator[Comparison]:
    for person in people:
        both = model.judgement_mask & person.judgement_mask
        for rate in PAIRED:
            if not (counted := both & _counted(study, rate)).any():
                continue
            truth = study.malignant[counted]
            test = compare_rates(
                model.decisions[counted], person.decisions[counted], truth, rate
            )
            yield Comparison(
                person=person.name,
                measure=rate,
                test="McNemar",
                images=int(counted.sum()),
                model_value=float((model.decisions[counted] == truth).mean()),
                person_value=float((person.decisions[counted] == truth).mean()),
                p_value=test.p_value,
            )


def _gee(study: Study, model: Row, people: Sequence[Row]) -> Iterator[Comparison]:
    for rate in (Measure.SENSITIVITY, Measure.SPECIFICITY):
        counted = _counted(study, rate)
        judges = [row for row in (model, *people) if row.judgement_mask[counted].any()]
        if model not in judges:
            continue
        try:
            found = _gee_rates(study, judges, counted)
        except (
            SeraError
        ):  # too few shared cases for a regression; McNemar's rows still stand
            continue
        for place, person in enumerate(judges[1:], start=1):
            ours = found.rates[0]
            theirs = found.rates[place]
            yield Comparison(
                person=person.name,
                measure=rate,
                test="GEE",
                images=theirs.answers,
                model_value=ours.value,
                person_value=theirs.value,
                p_value=found.compare(0, place).p_value,
                model_interval=ours.interval,
                person_interval=theirs.interval,
            )


def _gee_rates(
    study: Study, judges: Sequence[Row], counted: NDArray[np.bool_]
) -> GeeRates:
    correct = np.stack(
        [row.decisions[counted] == study.malignant[counted] for row in judges]
    )
    judged = np.stack([row.judgement_mask[counted] for row in judges])
    return gee_rates(correct, judged, study.groups[counted])


def _delong(study: Study, model: Row, people: Sequence[Row]) -> Iterator[Comparison]:
    for person in people:
        both = model.judgement_mask & person.judgement_mask
        positive = int(study.malignant[both].sum())
        if (
            model.scores is None
            or person.scores is None
            or min(positive, int(both.sum()) - positive) < 2
        ):
            continue
        test = delong_test(
            model.scores[both], person.scores[both], study.malignant[both]
        )
        yield Comparison(
            person=person.name,
            measure=AUC,
            test="DeLong",
            images=int(both.sum()),
            model_value=test.auc_first,
            person_value=test.auc_second,
            p_value=test.p_value,
        )


def _counted(study: Study, rate: Measure) -> NDArray[np.bool_]:
    """The images a rate is about: the malignant ones, the benign ones, or all."""
    labels = {
        Measure.SENSITIVITY: study.malignant,
        Measure.SPECIFICITY: ~study.malignant,
    }
    return labels.get(rate, np.ones(len(study.malignant), bool))


def _by_person(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Persons in their order, then sensitivity, specificity, accuracy and AUC, each test after the other."""
    people = list(dict.fromkeys(comparison.person for comparison in comparisons))
    measures = [*PAIRED, AUC]
    return sorted(
        comparisons,
        key=lambda one: (people.index(one.person), measures.index(one.measure)),
    )


def _shown(comparison: Comparison) -> tuple[Cell, ...]:
    is_area = comparison.measure == AUC
    worded = format_auc if is_area else format_percent
    difference = format_signed(comparison.difference, worded(abs(comparison.difference)))
    return (
        Cell(comparison.person, numeric=False),
        Cell("AUC" if is_area else comparison.measure, numeric=False),
        Cell(comparison.test, numeric=False),
        Cell(str(comparison.images)),
        Cell(worded(comparison.model_value), _ends(comparison.model_interval)),
        Cell(worded(comparison.person_value), _ends(comparison.person_interval)),
        Cell(difference),
        Cell(format_p_value(comparison.p_value)),
    )


def _ends(interval: Interval | None) -> tuple[str, ...]:
    if interval is None:
        return ()
    return (f"{100 * interval.low:.1f}–{100 * interval.high:.1f}",)


def _cohen(first: Row, second: Row) -> tuple[int, Kappa | None]:
    both = first.judgement_mask & second.judgement_mask
    return int(both.sum()), cohen_kappa(
        first.decisions[both], second.decisions[both]
    ) if both.any() else None


def _fleiss(people: Sequence[Row]) -> tuple[int, Kappa | None]:
    everyone = np.all([row.judgement_mask for row in people], axis=0)
    count = int(everyone.sum())
    return count, fleiss_kappa(
        np.stack([row.decisions[everyone] for row in people], axis=1)
    ) if count > 1 else None


def _agreement_cells(
    judges: str, kind: str, count: int, kappa: Kappa | None
) -> tuple[Cell, ...]:
    ends = (
        ()
        if kappa is None
        else (f"{kappa.interval.low:.2f} to {kappa.interval.high:.2f}",)
    )
    value = EMPTY_MARK if kappa is None or np.isnan(kappa.value) else f"{kappa.value:.2f}"
    words = "undefined" if kappa is None else landis_koch_label(kappa.value)
    return (
        Cell(judges, numeric=False),
        Cell(kind, numeric=False),
        Cell(str(count)),
        Cell(value, ends),
        Cell(words, numeric=False),
    )


def _agreement_record(
    judges: str, kind: str, count: int, kappa: Kappa | None
) -> Record:
    base: Record = {"judges": judges, "kind": kind, "n": count}
    if kappa is None:
        return base
    return {
        **base,
        "kappa": kappa.value,
        "low": kappa.interval.low,
        "high": kappa.interval.high,
    }
