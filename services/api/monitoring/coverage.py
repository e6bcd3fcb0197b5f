"""Whether conformal sets hold the true class as often as they promise."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from services.api.monitoring.schemas import CoverageGroup, CoverageStep, CoverageView
from services.api.monitoring.views import joined_column, window_view
from shared.ledger.monitoring.observations import Observations, Period, VerifiedResults, Window
from shared.statistics import conformal_coverage

ALPHAS = (0.01, 0.05, 0.1, 0.2)
PROMISE = (
    "The promise is made of cases like the calibration cases of their class. Cases with an outcome are not a random "
    "part of all, so coverage below the promise may mean drift or may mean which cases were biopsied; see drift."
)
NONE_KNOWN = "No result of this window has both conformal p-values and an outcome, so coverage cannot be told."


def measure(
    observations: Observations, window: Window, alphas: Sequence[float] = ALPHAS
) -> CoverageView:
    """Coverage, set sizes and refer rate at each alpha, for all results with an outcome and for each hospital."""
    names = observations.hospitals()
    by_hospital = defaultdict(list)
    verified = observations.verified(window, Period.MONTH)
    for part in verified:
        by_hospital[part.hospital].append(part)
    steps = {hospital: _steps(parts, alphas) for hospital, parts in by_hospital.items()}
    hospitals = [
        CoverageGroup(
            hospital_id=hospital, hospital=names[hospital], steps=steps[hospital]
        )
        for hospital in sorted(steps, key=names.__getitem__)
        if steps[hospital]
    ]
    all_steps = _steps(verified, alphas)
    told = [PROMISE] if all_steps else [NONE_KNOWN]
    return CoverageView(
        window=window_view(window), all=all_steps, hospitals=hospitals, sentences=told
    )


def _steps(verified: Sequence[VerifiedResults], alphas: Sequence[float]) -> list[CoverageStep]:
    """Of the results that tell both p-values; none where no result does."""
    benign, malignant, labels = (
        joined_column(verified, name) for name in ("benign_p", "malignant_p", "malignant")
    )
    told = ~(np.isnan(benign) | np.isnan(malignant))
    if not told.any():
        return []
    found = conformal_coverage(
        benign[told], malignant[told], labels[told], sorted(alphas)
    )
    return [CoverageStep(**step.to_json()) for step in found]
