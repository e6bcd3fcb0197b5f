"""What is drawn of one model on a locked test set: its ROC curve, calibration, confusion table, and rows of parts."""

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


def rate_to_json(part: Proportion) -> dict[str, Any]:
    """A rate with Wilson's interval, ready for JSON: None where there is nothing to count."""
    interval = wilson(part.successes, part.total)
    value = part.value if part.total else None
    return {
        "value": value,
        "low": interval.low,
        "high": interval.high,
        "of": part.total,
        "found": part.successes,
    }


def evaluation(
    scores: Floats,
    decisions: Flags,
    malignant: Flags,
    patients: np.ndarray,
    sites: Sequence[str],
    sizes: Sequence[str],
) -> dict[str, Any]:
    """Ready for JSON, and without anything of a single patient beyond the ranks of the scores.

    Parameters
    ----------
    scores, called, malignant, patients : (N,) in the order of the test images
    sites, sizes : (N,) names of hospitals and of size bands
    """
    table = ConfusionTable.from_decisions(decisions, malignant)
    return {
        "roc": _roc(scores, malignant, patients),
        "table": asdict(table),
        "rates": {
            str(measure): rate_to_json(table.proportion(measure)) for measure in RATES
        },
        "sites": [
            site_rates_to_json(row)
            for row in rates_by_site(sites, decisions, malignant, scores)
        ],
        "sizes": [
            site_rates_to_json(row, "band")
            for row in sorted(
                rates_by_site(sizes, decisions, malignant, scores), key=_place
            )
        ],
    }


def calibration_bins_to_json(risks: Floats, malignant: Flags) -> list[dict[str, Any]]:
    """The calibration curve: each bin's stated risk and observed rate with Wilson's interval, and how many it holds."""
    return (
        [asdict(each) for each in calibration_curve(risks, malignant)]
        if risks.size
        else []
    )


def site_rates_to_json(row: SiteRates, name_key: str = "site") -> dict[str, Any]:
    """Figures of a part of the images, ready for JSON."""
    area = row.auc and {
        "value": row.auc.value,
        "low": row.auc.interval.low,
        "high": row.auc.interval.high,
    }
    return {
        name_key: row.site,
        "images": row.cases,
        "malignant": row.malignant,
        "auc": area,
        "sensitivity": rate_to_json(row.table.proportion(Measure.SENSITIVITY)),
        "specificity": rate_to_json(row.table.proportion(Measure.SPECIFICITY)),
    }


def _place(row: SiteRates) -> int:
    """From small to large, and what is not known last."""
    return SIZE_BANDS.index(row.site)


def _roc(scores: Floats, malignant: Flags, patients: np.ndarray) -> dict[str, Any]:
    curve = roc_curve(scores, malignant)
    band = roc_band(scores, malignant, patients)
    kept = np.unique(
        np.linspace(0, curve.sensitivity.size - 1, MAX_ROC_POINTS).round().astype(int)
    )
    return {
        "points": _pairs(curve.false_positive_rate[kept], curve.sensitivity[kept]),
        "band": _pairs(band.false_positive_rate, band.low, band.high),
    }


def _pairs(*columns: Floats) -> list[list[float]]:
    return [
        [round(float(value), DECIMALS) for value in row]
        for row in zip(*columns, strict=True)
    ]
