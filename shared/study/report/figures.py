"""The figures of one judge over the images it judged: counts, rates and AUC.

Positive = malignant.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.statistics import (
    ConfusionTable,
    Interval,
    Measure,
    Proportion,
    SingleClass,
    delong_interval,
    roc_auc,
)
from shared.study.results import Flags, Row, Scores, Section, Study

MEASURES = (
    Measure.ACCURACY,
    Measure.SENSITIVITY,
    Measure.SPECIFICITY,
    Measure.PPV,
    Measure.NPV,
)


@dataclass(frozen=True)
class Area:
    """AUC with DeLong's 95 % interval, which needs two images of each class."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Figures:
    """Figures of a judge. `area` is None without scores, or if all images have one class."""

    images: int
    malignant: int
    table: ConfusionTable
    area: Area | None

    def proportion(self, measure: Measure) -> Proportion:
        return self.table.proportion(measure)


def compute_figures(row: Row, malignant: Flags) -> Figures:
    """Compute the figures of a row that judged at least one image.

    `malignant` (N,) are the study's labels.
    """
    mask = row.judgement_mask
    labels = malignant[mask]
    return Figures(
        images=int(mask.sum()),
        malignant=int(labels.sum()),
        table=ConfusionTable.from_decisions(row.decisions[mask], labels),
        area=None if row.scores is None else _area(row.scores[mask], labels),
    )


def rows_in_section(study: Study, section: Section) -> tuple[Row, ...]:
    """Return the rows of a section that judged at least one image."""
    return tuple(
        row for row in study.rows if row.section is section and row.judgement_mask.any()
    )


def leading_row(study: Study) -> Row | None:
    """Return the recipe's own model.

    If there is none, return the best judge by AUC that is not a person.
    """
    model_rows = rows_in_section(study, Section.MODEL)
    if model_rows:
        return model_rows[0]
    fitted_rows = [row for row in study.rows if row.section is not Section.READERS]
    return best_row(fitted_rows, study.malignant)


def best_row(rows: Iterable[Row], malignant: Flags) -> Row | None:
    """Return the row with the greatest AUC, the first of equal rows; None if no row has an AUC."""
    auc_by_row: dict[Row, float] = {}
    for row in rows:
        if not row.judgement_mask.any():
            continue
        area = compute_figures(row, malignant).area
        if area:
            auc_by_row[row] = area.value
    return max(auc_by_row, key=lambda row: auc_by_row[row], default=None)


def best_row_per_section(study: Study) -> tuple[Row, ...]:
    """Return the best row by AUC of each section except the readers', in the report's order."""
    best_rows = []
    for section in Section:
        if section is Section.READERS:
            continue
        row = best_row(rows_in_section(study, section), study.malignant)
        if row is not None:
            best_rows.append(row)
    return tuple(best_rows)


def _area(scores: Scores, malignant: Flags) -> Area | None:
    try:
        return Area(
            value=roc_auc(scores, malignant),
            interval=delong_interval(scores, malignant),
        )
    except SingleClass:
        pass
    if len(set(malignant)) < 2:
        return None
    return Area(value=roc_auc(scores, malignant), interval=None)
