"""The model against each person on the same images, and how far judges agree."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from shared.errors import SeraError
from shared.statistics import (
    GeeRate,
    GeeRates,
    Kappa,
    Measure,
    cohen_kappa,
    compare_rates,
    delong_test,
    fleiss_kappa,
    gee_rates,
    kappa_words,
)
from shared.study.figures import in_section, lead
from shared.study.results import Row, Section, Study
from shared.study.tables import Cell, Record, Table
from shared.study.wording import NOTHING, area, p_value, percent, signed

PAIRED = (Measure.SENSITIVITY, Measure.SPECIFICITY, Measure.ACCURACY)
ENDS = ("model_low", "model_high", "other_low", "other_high")
COLUMNS = ("person", "measure", "test", "n", "model", "other", "difference", "p_value", *ENDS)
LEGEND = (
    "{model} against each person, on the images both judged. Differences are model minus person. McNemar: exact below "
    "25 images on which they differ, else chi-square with continuity correction. GEE: logistic regression over the "
    "model and all people at once, with an exchangeable correlation within each patient and robust errors; below its "
    "rates stand their 95 % intervals. DeLong: for people who rate. P values are two-sided and not corrected for "
    "their number."
)

AGREEMENT = (
    "Cohen's kappa of two judges' calls on the images both judged, Fleiss' kappa of all people on the images all "
    "judged, with 95 % intervals. Words as by Landis & Koch: up to 0.2 slight, 0.4 fair, 0.6 moderate, 0.8 "
    "substantial, above almost perfect."
)


def comparison_table(study: Study) -> Table:
    """Without a row where there is no person, or no model to compare with."""
    model, people = lead(study), in_section(study, Section.READERS)
    records = [] if model is None or not people else _compared(study, model, people)
    return Table(
        name="comparisons",
        title="The model against people",
        legend=LEGEND.format(model="The model" if model is None else f"The model ({model.name})"),
        head=("person", "measure", "test", "n", "model", "person's", "difference", "P"),
        rows=tuple(map(_shown, records)),
        columns=COLUMNS,
        records=tuple(records),
    )


def agreement_table(study: Study) -> Table:
    """Kappa of every two judges among the model and the people, and of all people together."""
    people = in_section(study, Section.READERS)
    judges = [row for row in (lead(study), *people) if row is not None]
    pairs = combinations(judges, 2) if people else ()
    found = [(f"{a.name} and {b.name}", "Cohen", *_cohen(a, b)) for a, b in pairs]
    if len(people) > 1:
        found.append(("all people", "Fleiss", *_fleiss(people)))
    return Table(
        name="agreement",
        title="Agreement",
        legend=AGREEMENT,
        head=("judges", "kappa of", "n", "kappa", "in words"),
        rows=tuple(_agreement_cells(*line) for line in found),
        columns=("judges", "kind", "n", "kappa", "low", "high"),
        records=tuple(_agreement_record(*line) for line in found),
    )


def _compared(study: Study, model: Row, people: Sequence[Row]) -> list[Record]:
    return _by_person(
        [
            *_mcnemar(study, model, people),
            *_gee(study, model, people),
            *_delong(study, model, people),
        ]
    )


def _mcnemar(study: Study, model: Row, people: Sequence[Row]) -> Iterator[Record]:
    for person in people:
        both = model.judged & person.judged
        for rate in PAIRED:
            if not (counted := both & _counted(study, rate)).any():
                continue
            truth = study.malignant[counted]
            test = compare_rates(model.called[counted], person.called[counted], truth, rate)
            rates = [float((row.called[counted] == truth).mean()) for row in (model, person)]
            yield _record(person, rate, "McNemar", int(counted.sum()), rates, test.p_value)


def _gee(study: Study, model: Row, people: Sequence[Row]) -> Iterator[Record]:
    for rate in (Measure.SENSITIVITY, Measure.SPECIFICITY):
        counted = _counted(study, rate)
        judges = [row for row in (model, *people) if row.judged[counted].any()]
        if model not in judges:
            continue
        try:
            found = _gee_rates(study, judges, counted)
        except SeraError:  # too few shared cases for a regression; McNemar's rows still stand
            continue
        for place, person in enumerate(judges[1:], start=1):
            test = found.compare(0, place)
            yield _gee_record(person, rate, found.rates[0], found.rates[place], test.p_value)


def _gee_rates(study: Study, judges: Sequence[Row], counted: np.ndarray) -> GeeRates:
    correct = np.stack([row.called[counted] == study.malignant[counted] for row in judges])
    judged = np.stack([row.judged[counted] for row in judges])
    return gee_rates(correct, judged, study.groups[counted])


def _delong(study: Study, model: Row, people: Sequence[Row]) -> Iterator[Record]:
    for person in people:
        both = model.judged & person.judged
        positive = int(study.malignant[both].sum())
        if (
            model.scores is None
            or person.scores is None
            or min(positive, int(both.sum()) - positive) < 2
        ):
            continue
        test = delong_test(model.scores[both], person.scores[both], study.malignant[both])
        areas = [test.auc_first, test.auc_second]
        yield _record(person, "auc", "DeLong", int(both.sum()), areas, test.p_value)


def _counted(study: Study, rate: Measure) -> np.ndarray:
    """The images a rate is about: the malignant ones, the benign ones, or all."""
    labels = {Measure.SENSITIVITY: study.malignant, Measure.SPECIFICITY: ~study.malignant}
    return labels.get(rate, np.ones(len(study.malignant), bool))


def _record(
    person: Row, what: str, test: str, count: int, values: Sequence[float], p: float
) -> Record:
    ours, theirs = values
    facts = (person.name, str(what), test, count, ours, theirs, ours - theirs, p)
    return dict(zip(COLUMNS, facts, strict=False))


def _gee_record(person: Row, rate: Measure, ours: GeeRate, theirs: GeeRate, p: float) -> Record:
    ends = (ours.interval.low, ours.interval.high, theirs.interval.low, theirs.interval.high)
    return {
        **_record(person, rate, "GEE", theirs.judged, [ours.value, theirs.value], p),
        **dict(zip(ENDS, ends, strict=True)),
    }


def _by_person(records: Sequence[Record]) -> list[Record]:
    """Persons in their order, then sensitivity, specificity, accuracy and AUC, each test after the other."""
    people = list(dict.fromkeys(record["person"] for record in records))
    measures = [*PAIRED, "auc"]
    return sorted(
        records,
        key=lambda record: (people.index(record["person"]), measures.index(record["measure"])),
    )


def _shown(record: Record) -> tuple[Cell, ...]:
    is_area = record["measure"] == "auc"
    told = area if is_area else percent
    difference = signed(record["difference"], told(abs(record["difference"])))
    return (
        Cell(record["person"], numeric=False),
        Cell("AUC" if is_area else record["measure"], numeric=False),
        Cell(record["test"], numeric=False),
        Cell(str(record["n"])),
        Cell(told(record["model"]), _ends(record, "model")),
        Cell(told(record["other"]), _ends(record, "other")),
        Cell(difference),
        Cell(p_value(record["p_value"])),
    )


def _ends(record: Record, whose: str) -> tuple[str, ...]:
    if f"{whose}_low" not in record:
        return ()
    return (f"{100 * record[f'{whose}_low']:.1f}–{100 * record[f'{whose}_high']:.1f}",)


def _cohen(first: Row, second: Row) -> tuple[int, Kappa | None]:
    both = first.judged & second.judged
    return int(both.sum()), cohen_kappa(
        first.called[both], second.called[both]
    ) if both.any() else None


def _fleiss(people: Sequence[Row]) -> tuple[int, Kappa | None]:
    everyone = np.all([row.judged for row in people], axis=0)
    count = int(everyone.sum())
    return count, fleiss_kappa(
        np.stack([row.called[everyone] for row in people], axis=1)
    ) if count > 1 else None


def _agreement_cells(judges: str, kind: str, count: int, kappa: Kappa | None) -> tuple[Cell, ...]:
    ends = () if kappa is None else (f"{kappa.interval.low:.2f} to {kappa.interval.high:.2f}",)
    value = NOTHING if kappa is None or np.isnan(kappa.value) else f"{kappa.value:.2f}"
    words = "undefined" if kappa is None else kappa_words(kappa.value)
    return (
        Cell(judges, numeric=False),
        Cell(kind, numeric=False),
        Cell(str(count)),
        Cell(value, ends),
        Cell(words, numeric=False),
    )


def _agreement_record(judges: str, kind: str, count: int, kappa: Kappa | None) -> Record:
    base: Record = {"judges": judges, "kind": kind, "n": count}
    if kappa is None:
        return base
    return {**base, "kappa": kappa.value, "low": kappa.interval.low, "high": kappa.interval.high}
