"""The figures of one model on a locked test set, ready for JSON.

The figures are the ROC curve, the confusion table and its rates, the calibration, and rows by
hospital and by size.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from shared.domain.size_groups import SIZE_BANDS
from shared.statistics.cases import Flags, Floats
from shared.statistics.confusion import ConfusionTable, Measure, Proportion
from shared.statistics.discrimination.roc import roc_curve
from shared.statistics.discrimination.roc_band import roc_band
from shared.statistics.intervals import wilson
from shared.statistics.model_life.sites import SiteRates, rates_by_site
from shared.statistics.reliability.calibration import calibration_curve

MAX_ROC_POINTS = 200
DECIMALS = 5
RATES = (
    Measure.SENSITIVITY,
    Measure.SPECIFICITY,
    Measure.PPV,
    Measure.NPV,
    Measure.ACCURACY,
)


def rate_to_json(proportion: Proportion) -> dict[str, Any]:
    """Return a rate with Wilson's interval; its value is None if the total is 0."""
    interval = wilson(proportion.successes, proportion.total)
    return {
        "value": proportion.value if proportion.total else None,
        "low": interval.low,
        "high": interval.high,
        "of": proportion.total,
        "found": proportion.successes,
    }


def evaluation(
    scores: Floats,
    decisions: Flags,
    malignant: Flags,
    patients: np.ndarray,
    sites: Sequence[str],
    sizes: Sequence[str],
) -> dict[str, Any]:
    """Return the figures of a model.

    The ranks of the scores are the only data about single patients.

    Parameters
    ----------
    scores, decisions, malignant, patients : (N,) in the order of the test images
    sites, sizes : (N,) names of hospitals and of size bands
    """
    table = ConfusionTable.from_decisions(decisions, malignant)
    site_rows = rates_by_site(sites, decisions, malignant, scores)
    size_rows = rates_by_site(sizes, decisions, malignant, scores)
    size_rows_ascending = sorted(size_rows, key=_size_order)
    return {
        "roc": _roc_to_json(scores, malignant, patients),
        "table": asdict(table),
        "rates": {
            str(measure): rate_to_json(table.proportion(measure)) for measure in RATES
        },
        "sites": [site_rates_to_json(row) for row in site_rows],
        "sizes": [
            site_rates_to_json(row, name_key="band") for row in size_rows_ascending
        ],
    }


def calibration_bins_to_json(risks: Floats, malignant: Flags) -> list[dict[str, Any]]:
    """Return the calibration curve. It is empty if there are no images.

    Each bin has its stated risk, its observed rate with Wilson's interval, and its number of
    images.
    """
    if not risks.size:
        return []
    return [
        asdict(calibration_bin)
        for calibration_bin in calibration_curve(risks, malignant)
    ]


def site_rates_to_json(row: SiteRates, name_key: str = "site") -> dict[str, Any]:
    """Return the figures of a group of images; `name_key` is the JSON key of the group's name."""
    auc = None
    if row.auc:
        auc = {
            "value": row.auc.value,
            "low": row.auc.interval.low,
            "high": row.auc.interval.high,
        }
    return {
        name_key: row.site,
        "images": row.cases,
        "malignant": row.malignant,
        "auc": auc,
        "sensitivity": rate_to_json(row.table.proportion(Measure.SENSITIVITY)),
        "specificity": rate_to_json(row.table.proportion(Measure.SPECIFICITY)),
    }


def _size_order(row: SiteRates) -> int:
    """Return the position of a size: from small to large, with an unknown size last."""
    return SIZE_BANDS.index(row.site)


def _roc_to_json(
    scores: Floats, malignant: Flags, patients: np.ndarray
) -> dict[str, Any]:
    curve = roc_curve(scores, malignant)
    band = roc_band(scores, malignant, patients)
    last = curve.sensitivity.size - 1
    positions = np.linspace(0, last, MAX_ROC_POINTS).round().astype(int)
    positions = np.unique(positions)
    return {
        "points": _rounded_rows(
            curve.false_positive_rate[positions], curve.sensitivity[positions]
        ),
        "band": _rounded_rows(band.false_positive_rate, band.low, band.high),
    }


def _rounded_rows(*columns: Floats) -> list[list[float]]:
    rows = []
    for row in zip(*columns, strict=True):
        rows.append([round(float(value), DECIMALS) for value in row])
    return rows
