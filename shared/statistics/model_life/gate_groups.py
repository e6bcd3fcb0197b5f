"""The gate's criteria by group: sensitivity at each site, and calibration at each size.

A model that is good on average can fail at one hospital, or for small nodules. Each criterion is
asked of several groups, so the level of each test is divided by the number of groups (Bonferroni).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.domain.messages import Facts
from shared.domain.models import GateReason, Weight
from shared.domain.size_groups import (
    SIZE_BANDS,
    SIZE_LIMITS_MM,
    UNKNOWN_SIZE,
)
from shared.statistics.cases import Flags, Floats
from shared.statistics.confusion import Measure
from shared.statistics.intervals import wilson
from shared.statistics.model_life.gate_criteria import (
    SIGNIFICANCE,
    CalibrationTest,
    calibration_test,
)
from shared.statistics.model_life.sites import SiteRates


@dataclass(frozen=True)
class SizeCalibration:
    """The calibration of the images of one size band. `test` is None for too few images."""

    band: str
    images: int
    test: CalibrationTest | None

    def to_json(self) -> dict[str, Any] | None:
        if self.test is None:
            return None
        return {
            "images": self.images,
            "error": self.test.error,
            "by_chance": self.test.by_chance,
            "p_value": self.test.p_value,
        }


def calibration_by_size(
    risks: Floats, malignant: Flags, bands: Sequence[str], min_images: int
) -> tuple[SizeCalibration, ...]:
    """Test the calibration in each size band that has an image, from small to large.

    A band can have images of one class only: risks of 40 % for small nodules that are all benign
    are wrong.

    Parameters
    ----------
    risks : (N,) fractions, at the prevalence of all N images
    malignant : (N,)
    bands : (N,) names of size bands
    min_images : with fewer, a band is not tested

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid
    """
    names = np.asarray(bands, str)
    rows = []
    for band in SIZE_BANDS:
        in_band = names == band
        images = int(in_band.sum())
        if not images:
            continue
        test = None
        if images >= min_images:
            test = calibration_test(risks[in_band], malignant[in_band])
        rows.append(SizeCalibration(band=band, images=images, test=test))
    return tuple(rows)


def size_reasons(
    rows: Sequence[SizeCalibration], limit: float, min_images: int
) -> list[GateReason]:
    """Return one objection for each size at which the risks are off.

    Risks are off if their error is above `limit` and chance does not explain it. The band of
    unknown sizes is not asked.
    """
    tests = {row: row.test for row in rows if row.test and row.band != UNKNOWN_SIZE}
    facts: Facts
    if not tests:
        facts = {"least": min_images}
        return [GateReason("sizes-not-judged", weight=Weight.NOTE, facts=facts)]
    level = SIGNIFICANCE / len(tests)
    objections = []
    for row, test in tests.items():
        if test.error <= limit or test.p_value >= level:
            continue
        facts = {
            **_size_facts(row.band),
            "images": row.images,
            "error": test.error,
            "by_chance": test.by_chance,
            "p_value": test.p_value,
            "limit": limit,
        }
        objections.append(
            GateReason("calibration-off-at-size", weight=Weight.AGAINST, facts=facts)
        )
    if objections:
        return objections
    facts = {"sizes": len(tests), "largest": max(test.error for test in tests.values())}
    return [GateReason("calibrated-by-size", weight=Weight.FOR, facts=facts)]


def site_reasons(rows: Sequence[SiteRates], floor: float) -> list[GateReason]:
    """Return one objection for each site whose sensitivity is below the floor by more than chance.

    Nothing is asked of a site without a malignant image, nor of a single site, whose sensitivity is
    that of all images.
    """
    asked = [row for row in rows if row.malignant]
    if len(asked) < 2:
        return [GateReason("one-site", weight=Weight.NOTE)]
    level = 1 - SIGNIFICANCE / len(asked)
    objections = []
    for row in asked:
        rate = row.rates[Measure.SENSITIVITY]
        interval = wilson(rate.successes, rate.total, level)
        if interval.high >= floor:
            continue
        facts = {"site": row.site, "found": rate.successes, "of": rate.total}
        objections.append(
            GateReason("site-below-floor", weight=Weight.AGAINST, facts=facts)
        )
    if objections:
        return objections
    facts = {"sites": len(asked), "floor": floor}
    return [GateReason("sites-kept", weight=Weight.FOR, facts=facts)]


def worst_site(rows: Sequence[SiteRates]) -> str | None:
    """Return the site with the lowest sensitivity; None if no site has a malignant image."""
    rows_with_malignant = [row for row in rows if row.malignant]
    if not rows_with_malignant:
        return None
    worst = min(
        rows_with_malignant, key=lambda row: row.rates[Measure.SENSITIVITY].value
    )
    return worst.site


def _size_facts(band: str) -> dict[str, float]:
    """Return the limits of a band in mm. The first has no lower one, the last no upper one."""
    number = SIZE_BANDS.index(band)
    facts = {}
    if number > 0:
        facts["from_mm"] = SIZE_LIMITS_MM[number - 1]
    if number < len(SIZE_LIMITS_MM):
        facts["below_mm"] = SIZE_LIMITS_MM[number]
    return facts
