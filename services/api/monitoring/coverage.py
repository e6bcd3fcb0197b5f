"""Measures how often conformal sets contain the true class, against the promised coverage."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from services.api.monitoring.schemas import CoverageGroup, CoverageStep, CoverageView
from services.api.monitoring.views import joined_column, window_view
from shared.ledger.monitoring.observations import (
    Observations,
    Period,
    VerifiedResults,
    Window,
)
from shared.statistics import conformal_coverage

ALPHAS = (0.01, 0.05, 0.1, 0.2)
PROMISE = (
    "The promise is made of cases like the calibration cases of their class. Cases with an outcome "
    "are not a random "
    "part of all, so coverage below the promise may mean drift or may mean which cases were "
    "biopsied; see drift."
)
NONE_KNOWN = (
    "No result of this window has both conformal p-values and an outcome, so coverage "
    "cannot be told."
)


def measure(
    observations: Observations, window: Window, alphas: Sequence[float] = ALPHAS
) -> CoverageView:
    """Return coverage, set sizes and refer rate at each alpha, for all hospitals together and for
    each hospital.

    Only results with an outcome count.
    """
    names = observations.hospitals()
    by_hospital = defaultdict(list)
    verified = observations.verified(window, Period.MONTH)
    for part in verified:
        by_hospital[part.hospital].append(part)
    hospitals = []
    for hospital in sorted(by_hospital, key=names.__getitem__):
        steps = _steps(by_hospital[hospital], alphas)
        if steps:
            hospitals.append(
                CoverageGroup(
                    hospital_id=hospital, hospital=names[hospital], steps=steps
                )
            )
    all_steps = _steps(verified, alphas)
    return CoverageView(
        window=window_view(window),
        all=all_steps,
        hospitals=hospitals,
        sentences=[PROMISE] if all_steps else [NONE_KNOWN],
    )


def _steps(
    verified: Sequence[VerifiedResults], alphas: Sequence[float]
) -> list[CoverageStep]:
    """Return the coverage of the results that have both p-values; empty if there are no such
    results.
    """
    benign_p = joined_column(verified, "benign_p")
    malignant_p = joined_column(verified, "malignant_p")
    labels = joined_column(verified, "malignant")
    has_both = ~(np.isnan(benign_p) | np.isnan(malignant_p))
    if not has_both.any():
        return []
    coverages = conformal_coverage(
        benign_p[has_both], malignant_p[has_both], labels[has_both], sorted(alphas)
    )
    return [CoverageStep(**coverage.to_json()) for coverage in coverages]
