"""The table of the kinds of ROI: the model's answers if every image came with one of them."""

import numpy as np

from shared.recipes import RoiKind
from shared.statistics import Measure, spearman
from shared.study.report.figures import compute_figures
from shared.study.report.tables import Cell, Record, Table, Value, auc_cell, rate_cell
from shared.study.report.wording import EMPTY_MARK, format_percent
from shared.study.results import Row, Study

NAMES = {
    RoiKind.OUTLINE: "the manifest's outline",
    RoiKind.BOX: "its box",
    RoiKind.LOOSE_BOX: "a box off by up to 30 %",
    RoiKind.NONE: "none",
}
LEGEND = (
    "The same images and the same fits, out of fold; only the ROI differs that each image comes "
    "with. A loose box has each side moved by a random share of its width or height. Changed: "
    "decisions that differ from those with the manifest's outline. Rank correlation: Spearman's, "
    "of the scores with those of the manifest's outline."
)
HEAD = ("ROI", "n", "AUC", "sensitivity", "specificity", "changed", "rank correlation")
COLUMNS = (
    "roi",
    "n",
    "auc",
    "auc_low",
    "auc_high",
    "sensitivity",
    "specificity",
    "changed",
    "rank_correlation",
)


def roi_kinds_table(study: Study) -> Table:
    """Return the table; it is empty if the images have no ROIs."""
    cells = []
    records = []
    for kind, row in study.roi_kinds.items():
        reference = study.roi_kinds[RoiKind.OUTLINE]
        cells.append(_cells(study, kind, row, reference))
        records.append(_record(study, kind, row, reference))
    return Table(
        name="roi_kinds",
        title="The model with other ROIs",
        legend=LEGEND,
        head=HEAD,
        rows=tuple(cells),
        columns=COLUMNS,
        records=tuple(records),
    )


def _cells(study: Study, kind: RoiKind, row: Row, reference: Row) -> tuple[Cell, ...]:
    figures = compute_figures(row, study.malignant)
    is_reference = row is reference
    changed = (
        EMPTY_MARK if is_reference else f"{format_percent(_changed(row, reference))} %"
    )
    correlation = EMPTY_MARK if is_reference else f"{_correlation(row, reference):.2f}"
    return (
        Cell(NAMES[kind], numeric=False),
        Cell(str(figures.images)),
        auc_cell(figures),
        rate_cell(figures.proportion(Measure.SENSITIVITY)),
        rate_cell(figures.proportion(Measure.SPECIFICITY)),
        Cell(changed),
        Cell(correlation),
    )


def _record(study: Study, kind: RoiKind, row: Row, reference: Row) -> Record:
    figures = compute_figures(row, study.malignant)
    record: dict[str, Value] = {
        "roi": str(kind),
        "n": figures.images,
        "sensitivity": figures.table.sensitivity,
        "specificity": figures.table.specificity,
        "changed": _changed(row, reference),
        "rank_correlation": _correlation(row, reference),
    }
    if figures.area is not None:
        record["auc"] = figures.area.value
        if figures.area.interval is not None:
            record["auc_low"] = figures.area.interval.low
            record["auc_high"] = figures.area.interval.high
    return record


def _changed(row: Row, reference: Row) -> float:
    return float(np.mean(row.decisions != reference.decisions))


def _correlation(row: Row, reference: Row) -> float:
    if row.scores is None or reference.scores is None:
        return float("nan")
    return spearman(row.scores, reference.scores)
