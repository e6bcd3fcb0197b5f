"""The decision curves of a study's model: the CSV file, and a sentence about each curve."""

import numpy as np

from shared.statistics import BIOPSY_NONE, DecisionCurve, decision_curves
from shared.study.report.figures import leading_row
from shared.study.report.tables import Record, Table
from shared.study.results import Study

COLUMNS = (
    "prevalence",
    "threshold",
    "net_benefit",
    "low",
    "high",
    "biopsy_all",
    "biopsy_none",
)


def model_decision_curves(study: Study) -> tuple[DecisionCurve, ...]:
    """Return the curves of the leading judge's out-of-fold risks.

    There are none without risks, or if all images have one class.
    """
    row = leading_row(study)
    if row is None or row.risks is None:
        return ()
    mask = row.judgement_mask
    labels = study.malignant[mask]
    if labels.all() or not labels.any():
        return ()
    return decision_curves(row.risks[mask], labels, study.groups[mask])


def decision_curve_table(study: Study) -> Table:
    """Return every point of the curves. The table is for CSV only; the page has the figure."""
    records = [
        record
        for curve in model_decision_curves(study)
        for record in _curve_records(curve)
    ]
    return Table(
        name="decision_curve",
        title="Decision curve",
        legend="",
        head=(),
        rows=(),
        columns=COLUMNS,
        records=tuple(records),
    )


def superiority_sentence(curve: DecisionCurve) -> str:
    """Say for which thresholds the model is worth more than both a biopsy of all and of none."""
    subject = (
        f"At {100 * curve.prevalence:.0f} % malignant, its interval lies above both"
    )
    thresholds = curve.threshold[curve.is_superior]
    if not thresholds.size:
        return f"{subject} at no threshold."
    lowest = 100 * thresholds.min()
    highest = 100 * thresholds.max()
    count = f"{thresholds.size} of {curve.threshold.size} thresholds"
    return f"{subject} at {count}, from {lowest:.0f} to {highest:.0f} %."


def _curve_records(curve: DecisionCurve) -> list[Record]:
    columns = np.column_stack(
        [curve.threshold, curve.net_benefit, curve.low, curve.high, curve.biopsy_all]
    )
    return [
        dict(zip(COLUMNS, (curve.prevalence, *values, BIOPSY_NONE), strict=True))
        for values in columns.tolist()
    ]
