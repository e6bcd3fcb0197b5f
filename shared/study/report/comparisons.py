"""Compares the model with each person on the same images, and measures the agreement of judges."""

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
from shared.study.report.figures import leading_row, rows_in_section
from shared.study.report.tables import Cell, Record, Table, Value
from shared.study.report.wording import (
    EMPTY_MARK,
    format_auc,
    format_p_value,
    format_percent,
    format_percent_interval,
    format_signed,
)
from shared.study.results import Row, Section, Study

PAIRED_MEASURES = (Measure.SENSITIVITY, Measure.SPECIFICITY, Measure.ACCURACY)
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
    "{model} against each person, on the images both judged. Differences are model minus person. "
    "McNemar: exact below 25 images on which they differ, else chi-square with continuity "
    "correction. GEE: logistic regression over the model and all people at once, with an "
    "exchangeable correlation within each patient and robust errors; below its rates stand their "
    "95 % intervals. DeLong: for people who rate. P values are two-sided and not corrected for "
    "their number."
)

AGREEMENT_LEGEND = (
    "Cohen's kappa of two judges' calls on the images both judged, Fleiss' kappa of all people on "
    "the images all judged, with 95 % intervals. Words as by Landis & Koch: up to 0.2 slight, 0.4 "
    "fair, 0.6 moderate, 0.8 substantial, above almost perfect."
)


@dataclass(frozen=True)
class Comparison:
    """A figure of the model and of a person on the same images, and the test of their difference.

    `measure` is a rate's name or `AUC`; the intervals come from GEE.
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
        """Return the values by `COLUMNS`."""
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
            record["model_low"] = self.model_interval.low
            record["model_high"] = self.model_interval.high
            record["other_low"] = self.person_interval.low
            record["other_high"] = self.person_interval.high
        return record


@dataclass(frozen=True)
class AgreementRow:
    """Kappa of several judges. It is None if they judged no image together."""

    judges: str
    kind: str
    images: int
    kappa: Kappa | None

    def to_cells(self) -> tuple[Cell, ...]:
        kappa = self.kappa
        text = EMPTY_MARK
        label = "undefined"
        notes: tuple[str, ...] = ()
        if kappa is not None:
            label = landis_koch_label(kappa.value)
            notes = (f"{kappa.interval.low:.2f} to {kappa.interval.high:.2f}",)
            if not np.isnan(kappa.value):
                text = f"{kappa.value:.2f}"
        return (
            Cell(self.judges, numeric=False),
            Cell(self.kind, numeric=False),
            Cell(str(self.images)),
            Cell(text, notes),
            Cell(label, numeric=False),
        )

    def to_record(self) -> Record:
        record: dict[str, Value] = {
            "judges": self.judges,
            "kind": self.kind,
            "n": self.images,
        }
        if self.kappa is not None:
            record["kappa"] = self.kappa.value
            record["low"] = self.kappa.interval.low
            record["high"] = self.kappa.interval.high
        return record


def comparison_table(study: Study) -> Table:
    """Compare the model with every person. The table has no rows without a person or a model."""
    model = leading_row(study)
    people = rows_in_section(study, Section.READERS)
    comparisons: list[Comparison] = []
    if model is not None and people:
        comparisons = _comparisons(study, model, people)
    subject = "The model" if model is None else f"The model ({model.name})"
    return Table(
        name="comparisons",
        title="The model against people",
        legend=LEGEND.format(model=subject),
        head=("person", "measure", "test", "n", "model", "person's", "difference", "P"),
        rows=tuple(map(_comparison_cells, comparisons)),
        columns=COLUMNS,
        records=tuple(comparison.to_record() for comparison in comparisons),
    )


def agreement_table(study: Study) -> Table:
    """Return kappa of every two judges, and of all people together.

    The judges are the model and the people.
    """
    people = rows_in_section(study, Section.READERS)
    model = leading_row(study)
    judges = list(people) if model is None else [model, *people]
    rows = []
    if people:
        rows = [_cohen_row(first, second) for first, second in combinations(judges, 2)]
    if len(people) > 1:
        rows.append(_fleiss_row(people))
    return Table(
        name="agreement",
        title="Agreement",
        legend=AGREEMENT_LEGEND,
        head=("judges", "kappa of", "n", "kappa", "in words"),
        rows=tuple(row.to_cells() for row in rows),
        columns=("judges", "kind", "n", "kappa", "low", "high"),
        records=tuple(row.to_record() for row in rows),
    )


def _comparisons(study: Study, model: Row, people: Sequence[Row]) -> list[Comparison]:
    """Return all comparisons.

    They are sorted by person, then sensitivity, specificity, accuracy and AUC, then by test.
    """
    comparisons = [
        *_mcnemar_comparisons(study, model, people),
        *_gee_comparisons(study, model, people),
        *_delong_comparisons(study, model, people),
    ]
    names = list(dict.fromkeys(comparison.person for comparison in comparisons))
    measures = [*PAIRED_MEASURES, AUC]

    def position(comparison: Comparison) -> tuple[int, int]:
        return names.index(comparison.person), measures.index(comparison.measure)

    return sorted(comparisons, key=position)


def _mcnemar_comparisons(
    study: Study, model: Row, people: Sequence[Row]
) -> Iterator[Comparison]:
    for person in people:
        shared = model.judgement_mask & person.judgement_mask
        for rate in PAIRED_MEASURES:
            mask = shared & _images_of_rate(study, rate)
            if not mask.any():
                continue
            labels = study.malignant[mask]
            model_decisions = model.decisions[mask]
            person_decisions = person.decisions[mask]
            test = compare_rates(
                model_decisions, person_decisions, labels, measure=rate
            )
            yield Comparison(
                person=person.name,
                measure=rate,
                test="McNemar",
                images=int(mask.sum()),
                model_value=float((model_decisions == labels).mean()),
                person_value=float((person_decisions == labels).mean()),
                p_value=test.p_value,
            )


def _gee_comparisons(
    study: Study, model: Row, people: Sequence[Row]
) -> Iterator[Comparison]:
    for rate in (Measure.SENSITIVITY, Measure.SPECIFICITY):
        mask = _images_of_rate(study, rate)
        judges = [row for row in (model, *people) if row.judgement_mask[mask].any()]
        if model not in judges:
            continue
        try:
            fitted = _gee_rates(study, judges, mask)
        except SeraError:
            # Too few shared cases for a regression; McNemar's rows remain.
            continue
        model_rate = fitted.rates[0]
        for number, person in enumerate(judges[1:], start=1):
            person_rate = fitted.rates[number]
            yield Comparison(
                person=person.name,
                measure=rate,
                test="GEE",
                images=person_rate.answers,
                model_value=model_rate.value,
                person_value=person_rate.value,
                p_value=fitted.compare(0, number).p_value,
                model_interval=model_rate.interval,
                person_interval=person_rate.interval,
            )


def _gee_rates(
    study: Study, judges: Sequence[Row], mask: NDArray[np.bool_]
) -> GeeRates:
    labels = study.malignant[mask]
    correct = [judge.decisions[mask] == labels for judge in judges]
    judgement_masks = [judge.judgement_mask[mask] for judge in judges]
    return gee_rates(
        np.stack(correct),
        judgement_mask=np.stack(judgement_masks),
        clusters=study.groups[mask],
    )


def _delong_comparisons(
    study: Study, model: Row, people: Sequence[Row]
) -> Iterator[Comparison]:
    for person in people:
        if model.scores is None or person.scores is None:
            continue
        shared = model.judgement_mask & person.judgement_mask
        labels = study.malignant[shared]
        malignant = int(labels.sum())
        if min(malignant, labels.size - malignant) < 2:
            continue
        test = delong_test(model.scores[shared], person.scores[shared], labels)
        yield Comparison(
            person=person.name,
            measure=AUC,
            test="DeLong",
            images=labels.size,
            model_value=test.auc_first,
            person_value=test.auc_second,
            p_value=test.p_value,
        )


def _images_of_rate(study: Study, rate: Measure) -> NDArray[np.bool_]:
    """Return the images (N,) that a rate covers: the malignant or the benign images, or all."""
    match rate:
        case Measure.SENSITIVITY:
            return study.malignant
        case Measure.SPECIFICITY:
            return ~study.malignant
        case _:
            return np.ones(len(study.malignant), bool)


def _comparison_cells(comparison: Comparison) -> tuple[Cell, ...]:
    is_auc = comparison.measure == AUC
    format_value = format_auc if is_auc else format_percent
    difference = format_signed(
        comparison.difference, format_value(abs(comparison.difference))
    )
    model_text = format_value(comparison.model_value)
    person_text = format_value(comparison.person_value)
    return (
        Cell(comparison.person, numeric=False),
        Cell("AUC" if is_auc else comparison.measure, numeric=False),
        Cell(comparison.test, numeric=False),
        Cell(str(comparison.images)),
        Cell(model_text, _interval_notes(comparison.model_interval)),
        Cell(person_text, _interval_notes(comparison.person_interval)),
        Cell(difference),
        Cell(format_p_value(comparison.p_value)),
    )


def _interval_notes(interval: Interval | None) -> tuple[str, ...]:
    return () if interval is None else (format_percent_interval(interval),)


def _cohen_row(first: Row, second: Row) -> AgreementRow:
    shared = first.judgement_mask & second.judgement_mask
    kappa = None
    if shared.any():
        kappa = cohen_kappa(first.decisions[shared], second.decisions[shared])
    return AgreementRow(
        judges=f"{first.name} and {second.name}",
        kind="Cohen",
        images=int(shared.sum()),
        kappa=kappa,
    )


def _fleiss_row(people: Sequence[Row]) -> AgreementRow:
    shared = np.all([person.judgement_mask for person in people], axis=0)
    images = int(shared.sum())
    kappa = None
    if images > 1:
        decisions = [person.decisions[shared] for person in people]
        kappa = fleiss_kappa(np.stack(decisions, axis=1))
    return AgreementRow(judges="all people", kind="Fleiss", images=images, kappa=kappa)
