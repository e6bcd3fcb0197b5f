"""What others published, on data of their own: targets to print beside a study's figures.

L19 = Lee et al., Sci Rep 9:19854 (2019), counts from its table; deck = the SERA slide deck; K20 = Koh et al., Sci Rep
10:15245 (2020).
"""

from dataclasses import dataclass

from shared.statistics import ConfusionTable, Measure, tables_behind
from shared.study.report.figures import best_row_per_section, rows_in_section, compute_figures
from shared.study.report.tables import MEASURE_LABELS, Cell, Table, Value, area_cell, rate_cell
from shared.study.report.wording import EMPTY_MARK, SECTION_TITLES
from shared.study.results import Row, Section, Study

PAIRED = (Measure.ACCURACY, Measure.SENSITIVITY, Measure.SPECIFICITY)
THIS_STUDY = "this study"
OTHER_DATA = "published, other data"
L19 = "L19, 150 images"
DECK = "SERA deck, 150 images"
K20 = "K20"

LEE_2019 = {
    "Faculty 1": ConfusionTable(91, 9, 24, 26),
    "Faculty 2": ConfusionTable(76, 24, 2, 48),
    "Fellow 1": ConfusionTable(63, 37, 3, 47),
    "Fellow 2": ConfusionTable(65, 35, 4, 46),
    "Resident 1": ConfusionTable(49, 51, 6, 44),
    "Resident 2": ConfusionTable(63, 37, 14, 36),
    "CNN 1": ConfusionTable(96, 4, 5, 45),
    "CNN 2": ConfusionTable(94, 6, 3, 47),
    "CNN 3": ConfusionTable(98, 2, 7, 43),
}


@dataclass(frozen=True)
class PrintedRates:
    """Per cent as printed, without the counts behind them."""

    accuracy: str
    sensitivity: str
    specificity: str


DECK_ROWS = {
    "Radiologist 1 by TIRADS": PrintedRates("87.3", "95", "72"),
    "Radiologist 2 by TIRADS": PrintedRates("80", "79", "82"),
    "Radiologist 1 by Kim et al.": PrintedRates("84.7", "82", "90"),
    "Radiologist 2 by Kim et al.": PrintedRates("80", "79", "82"),
    "AlexNet, fine-tuned": PrintedRates("86.7", "88", "86"),
    "OverFeat, fine-tuned": PrintedRates("85.3", "84", "86"),
    "VGG-F, fine-tuned": PrintedRates("86", "84", "87"),
    "VGG-19, fine-tuned": PrintedRates("85.3", "74", "91"),
    "ResNet-50, fine-tuned": PrintedRates("84", "86", "83"),
    "Inception-v3, fine-tuned": PrintedRates("86.7", "78", "91"),
}
DECK_CLASSES = ((100, 50), (50, 100))
"""Malignant and benign images of the deck's 150: as L19 has them, and the reverse."""
NO_CLASSES = "none"
KOH_2020 = {
    "CNNs, internal test": "0.898–0.937",
    "CNNs, three external tests": "0.821–0.885",
    "CNNE2, internal test": "0.932",
    "Radiologists, internal test": "0.840",
}
LEGEND = (
    "Our rows: the best of each table and every person. The others are marked: they were measured on other images, "
    "other scanners and other shares of malignant nodules (L19: 100 malignant and 50 benign), so a difference from "
    "ours says little by itself. L19's rates and intervals are computed from its printed "
    "counts. The deck prints no counts: whole cases are the classes, of L19's 150 images or "
    "of the reverse, in which whole images give all three rates as printed. Its networks' "
    "rows fit only 50 malignant and 100 benign images, the reverse of its radiologists'. "
    "K20 compares CNNE2 with radiologists: P < 0.001 on the internal test, and 0.113, 0.126 "
    "and 0.690 on the external ones."
)
COLUMNS = ("judge", "data", "auc", *PAIRED, "whole_cases")


def published_table(study: Study) -> Table:
    """Ours beside theirs."""
    ours = (*best_row_per_section(study), *rows_in_section(study, Section.READERS))
    rows = tuple(_ours(row, study) for row in ours) + _theirs()
    return Table(
        name="published",
        title="Beside published results",
        legend=LEGEND,
        head=("judge", "data", "AUC", *(MEASURE_LABELS[rate] for rate in PAIRED), "whole cases"),
        rows=rows,
        columns=COLUMNS,
        records=tuple(_record(row) for row in rows),
    )


def _ours(row: Row, study: Study) -> tuple[Cell, ...]:
    found = compute_figures(row, study.malignant)
    section = (
        "a person"
        if row.section is Section.READERS
        else f"best of: {SECTION_TITLES[row.section]}"
    )
    rates = (rate_cell(found.proportion(rate)) for rate in PAIRED)
    data = Cell(THIS_STUDY, (f"{found.images} images",), numeric=False)
    return (
        Cell(row.name, (section,), numeric=False),
        data,
        area_cell(found),
        *rates,
        Cell(EMPTY_MARK, numeric=False),
    )


def _theirs() -> tuple[tuple[Cell, ...], ...]:
    lee = tuple(
        (
            *_named(name, L19),
            Cell(EMPTY_MARK),
            *(rate_cell(table.proportion(rate)) for rate in PAIRED),
            Cell(_classes(table.tp + table.fn, table.fp + table.tn), numeric=False),
        )
        for name, table in LEE_2019.items()
    )
    deck = tuple(
        (
            *_named(name, DECK),
            Cell(EMPTY_MARK),
            Cell(row.accuracy),
            Cell(row.sensitivity),
            Cell(row.specificity),
            Cell(possible_classes(row), numeric=False),
        )
        for name, row in DECK_ROWS.items()
    )
    koh = tuple(
        (
            *_named(name, K20),
            Cell(auc),
            *[Cell(EMPTY_MARK)] * len(PAIRED),
            Cell(EMPTY_MARK, numeric=False),
        )
        for name, auc in KOH_2020.items()
    )
    return lee + deck + koh


def possible_classes(row: PrintedRates) -> str:
    """The classes in which whole images give the printed rates, or `IMPOSSIBLE`."""
    possible = [
        _classes(malignant, benign)
        for malignant, benign in DECK_CLASSES
        if tables_behind(
            float(row.accuracy),
            float(row.sensitivity),
            float(row.specificity),
            malignant=malignant,
            benign=benign,
        )
    ]
    return " or ".join(possible) or NO_CLASSES


def _classes(malignant: int, benign: int) -> str:
    return f"{malignant} malignant, {benign} benign"


def _named(name: str, source: str) -> tuple[Cell, Cell]:
    return Cell(name, numeric=False), Cell(OTHER_DATA, (source,), numeric=False)


def _record(row: tuple[Cell, ...]) -> dict[str, Value]:
    """As shown, without the intervals: rates in per cent."""
    told = [
        " / ".join((cell.text, *cell.notes)) if not cell.numeric else cell.text
        for cell in row
    ]
    return {
        column: None if text == EMPTY_MARK else text
        for column, text in zip(COLUMNS, told, strict=True)
    }
