"""The figures of one judge: counts, rates and AUC over the images it judged. Positive = malignant."""

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
    """`area` is None for who gives no scores, or judged one class only."""

    images: int
    malignant: int
    table: ConfusionTable
    area: Area | None

    def proportion(self, measure: Measure) -> Proportion:
        return self.table.proportion(measure)


def compute_figures(row: Row, malignant: Flags) -> Figures:
    """Figures of a row that judged at least one image; `malignant` (N,) are the study's labels."""
    truth = malignant[row.judgement_mask]
    return Figures(
        images=int(row.judgement_mask.sum()),
        malignant=int(truth.sum()),
        table=ConfusionTable.from_decisions(row.decisions[row.judgement_mask], truth),
        area=None if row.scores is None else _area(row.scores[row.judgement_mask], truth),
    )


def rows_in_section(study: Study, section: Section) -> tuple[Row, ...]:
    return tuple(
        row for row in study.rows if row.section is section and row.judgement_mask.any()
    )


def leading_row(study: Study) -> Row | None:
    """The recipe's own model; where there is none, the best judge by AUC that is no person."""
    if models := rows_in_section(study, Section.MODEL):
        return models[0]
    return best_row(
        [row for row in study.rows if row.section is not Section.READERS],
        study.malignant,
    )


def best_row(rows: Iterable[Row], malignant: Flags) -> Row | None:
    """The row with the greatest AUC, the first of equals; None where no row has one."""
    areas = {
        row: found.area.value
        for row in rows
        if row.judgement_mask.any() and (found := compute_figures(row, malignant)).area
    }
    return max(areas, key=lambda row: areas[row], default=None)


def best_row_per_section(study: Study) -> tuple[Row, ...]:
    """The best row by AUC of each section but the people's, in the report's order."""
    sections = [section for section in Section if section is not Section.READERS]
    found = (best_row(rows_in_section(study, section), study.malignant) for section in sections)
    return tuple(row for row in found if row is not None)


def _area(scores: Scores, malignant: Flags) -> Area | None:
    try:
        return Area(roc_auc(scores, malignant), delong_interval(scores, malignant))
    except SingleClass:
        pass
    return Area(roc_auc(scores, malignant), None) if len(set(malignant)) == 2 else None
