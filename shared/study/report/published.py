"""Results that others published, for comparison with the figures of a study.

The published results were measured on other data. L19 = Lee et al., Sci Rep 9:19854 (2019), counts
from its table; deck = the SERA slide deck; K20 = Koh et al., Sci Rep 10:15245 (2020).
"""

from dataclasses import dataclass

from shared.statistics import ConfusionTable, Measure, tables_behind
from shared.study.report.figures import (
    best_row_per_section,
    compute_figures,
    rows_in_section,
)
from shared.study.report.tables import (
    MEASURE_LABELS,
    Cell,
    Table,
    Value,
    auc_cell,
    rate_cell,
)
from shared.study.report.wording import EMPTY_MARK, SECTION_TITLES
from shared.study.results import Row, Section, Study

PRINTED_MEASURES = (Measure.ACCURACY, Measure.SENSITIVITY, Measure.SPECIFICITY)
THIS_STUDY = "this study"
OTHER_DATA = "published, other data"
L19 = "L19, 150 images"
DECK = "SERA deck, 150 images"
K20 = "K20"

LEE_2019 = {
    "Faculty 1": ConfusionTable(tp=91, fn=9, fp=24, tn=26),
    "Faculty 2": ConfusionTable(tp=76, fn=24, fp=2, tn=48),
    "Fellow 1": ConfusionTable(tp=63, fn=37, fp=3, tn=47),
    "Fellow 2": ConfusionTable(tp=65, fn=35, fp=4, tn=46),
    "Resident 1": ConfusionTable(tp=49, fn=51, fp=6, tn=44),
    "Resident 2": ConfusionTable(tp=63, fn=37, fp=14, tn=36),
    "CNN 1": ConfusionTable(tp=96, fn=4, fp=5, tn=45),
    "CNN 2": ConfusionTable(tp=94, fn=6, fp=3, tn=47),
    "CNN 3": ConfusionTable(tp=98, fn=2, fp=7, tn=43),
}


@dataclass(frozen=True)
class PrintedRates:
    """Rates in per cent as printed. The counts are not known."""

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
"""Possible numbers of malignant and benign images in the deck's 150: as in L19, and reversed."""
NO_CLASSES = "none"
KOH_2020 = {
    "CNNs, internal test": "0.898–0.937",
    "CNNs, three external tests": "0.821–0.885",
    "CNNE2, internal test": "0.932",
    "Radiologists, internal test": "0.840",
}
LEGEND = (
    "Our rows: the best of each table and every person. The others are marked: they were measured "
    "on other images, other scanners and other shares of malignant nodules (L19: 100 malignant "
    "and 50 benign), so a difference from ours says little by itself. L19's rates and intervals "
    "are computed from its printed counts. The deck prints no counts: whole cases are the "
    "classes, of L19's 150 images or of the reverse, in which whole images give all three rates "
    "as printed. Its networks' rows fit only 50 malignant and 100 benign images, the reverse of "
    "its radiologists'. K20 compares CNNE2 with radiologists: P < 0.001 on the internal test, and "
    "0.113, 0.126 and 0.690 on the external ones."
)
COLUMNS = ("judge", "data", "auc", *PRINTED_MEASURES, "whole_cases")


def published_table(study: Study) -> Table:
    """Return the best rows and the people of a study, beside published results."""
    study_rows = [
        *best_row_per_section(study),
        *rows_in_section(study, Section.READERS),
    ]
    rows = (
        *(_study_cells(row, study) for row in study_rows),
        *_lee_cells(),
        *_deck_cells(),
        *_koh_cells(),
    )
    rate_labels = [MEASURE_LABELS[rate] for rate in PRINTED_MEASURES]
    return Table(
        name="published",
        title="Beside published results",
        legend=LEGEND,
        head=("judge", "data", "AUC", *rate_labels, "whole cases"),
        rows=rows,
        columns=COLUMNS,
        records=tuple(_record(row) for row in rows),
    )


def _study_cells(row: Row, study: Study) -> tuple[Cell, ...]:
    figures = compute_figures(row, study.malignant)
    if row.section is Section.READERS:
        note = "a person"
    else:
        note = f"best of: {SECTION_TITLES[row.section]}"
    return (
        Cell(row.name, (note,), numeric=False),
        Cell(THIS_STUDY, (f"{figures.images} images",), numeric=False),
        auc_cell(figures),
        *(rate_cell(figures.proportion(rate)) for rate in PRINTED_MEASURES),
        Cell(EMPTY_MARK, numeric=False),
    )


def _lee_cells() -> list[tuple[Cell, ...]]:
    rows = []
    for name, table in LEE_2019.items():
        classes = _classes_text(
            malignant=table.tp + table.fn, benign=table.fp + table.tn
        )
        rows.append(
            (
                *_source_cells(name, L19),
                Cell(EMPTY_MARK),
                *(rate_cell(table.proportion(rate)) for rate in PRINTED_MEASURES),
                Cell(classes, numeric=False),
            )
        )
    return rows


def _deck_cells() -> list[tuple[Cell, ...]]:
    return [
        (
            *_source_cells(name, DECK),
            Cell(EMPTY_MARK),
            Cell(rates.accuracy),
            Cell(rates.sensitivity),
            Cell(rates.specificity),
            Cell(possible_classes(rates), numeric=False),
        )
        for name, rates in DECK_ROWS.items()
    ]


def _koh_cells() -> list[tuple[Cell, ...]]:
    return [
        (
            *_source_cells(name, K20),
            Cell(auc),
            *[Cell(EMPTY_MARK)] * len(PRINTED_MEASURES),
            Cell(EMPTY_MARK, numeric=False),
        )
        for name, auc in KOH_2020.items()
    ]


def possible_classes(rates: PrintedRates) -> str:
    """Return the classes of the deck for which whole images give the printed rates.

    If there are none, return `NO_CLASSES`.
    """
    texts = []
    for malignant, benign in DECK_CLASSES:
        tables = tables_behind(
            accuracy=float(rates.accuracy),
            sensitivity=float(rates.sensitivity),
            specificity=float(rates.specificity),
            malignant=malignant,
            benign=benign,
        )
        if tables:
            texts.append(_classes_text(malignant=malignant, benign=benign))
    return " or ".join(texts) or NO_CLASSES


def _classes_text(*, malignant: int, benign: int) -> str:
    return f"{malignant} malignant, {benign} benign"


def _source_cells(name: str, source: str) -> tuple[Cell, Cell]:
    return Cell(name, numeric=False), Cell(OTHER_DATA, (source,), numeric=False)


def _record(row: tuple[Cell, ...]) -> dict[str, Value]:
    """Return the values as shown, rates in per cent without their intervals."""
    record: dict[str, Value] = {}
    for column, cell in zip(COLUMNS, row, strict=True):
        text = cell.text
        if not cell.numeric:
            text = " / ".join((cell.text, *cell.notes))
        record[column] = None if text == EMPTY_MARK else text
    return record
