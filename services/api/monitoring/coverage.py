"""Whether conformal sets hold the true class as often as they promise."""

from collections import defaultdict
from collections.abc import Sequence

from services.api.monitoring.schemas import CoverageGroup, CoverageStep, CoverageView
from services.api.monitoring.views import window_view
from shared.ledger.observations import Observations, Period, Verified, Window
from shared.statistics import conformal_coverage

ALPHAS = (0.01, 0.05, 0.1, 0.2)
PROMISE = (
    "The promise is made of cases like the calibration cases of their class. Cases with an outcome are not a random "
    "part of all, so coverage below the promise may mean drift or may mean which cases were biopsied; see drift."
)
NONE_KNOWN = "No result of this window has both conformal p-values and an outcome, so coverage cannot be told."


def measure(observations: Observations, window: Window, alphas: Sequence[float] = ALPHAS) -> CoverageView:
    """Coverage, set sizes and refer rate at each alpha, for all results with an outcome and for each hospital."""
    rows = [row for row in observations.verified(window, Period.MONTH) if None not in (row.benign_p, row.malignant_p)]
    names, by_hospital = observations.hospitals(), defaultdict(list)
    for row in rows:
        by_hospital[row.hospital].append(row)
    hospitals = [
        CoverageGroup(hospital_id=hospital, hospital=names[hospital], steps=_steps(by_hospital[hospital], alphas))
        for hospital in sorted(by_hospital, key=names.__getitem__)
    ]
    told = [PROMISE] if rows else [NONE_KNOWN]
    return CoverageView(window=window_view(window), all=_steps(rows, alphas), hospitals=hospitals, sentences=told)


def _steps(rows: Sequence[Verified], alphas: Sequence[float]) -> list[CoverageStep]:
    if not rows:
        return []
    benign, malignant, labels = zip(*((row.benign_p, row.malignant_p, row.malignant) for row in rows), strict=True)
    return [CoverageStep(**step.to_json()) for step in conformal_coverage(benign, malignant, labels, sorted(alphas))]
