"""How far chance may have moved each point of a ROC curve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Flags, Floats, as_cases
from shared.statistics.errors import ScoresInvalid

BOOTSTRAP_DRAWS = 1000
DRAWS_PER_BATCH = 50
SEED = 0
FALSE_POSITIVE_RATES = np.linspace(0.0, 1.0, 51)
RATE_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class RocBand:
    """Sensitivities between `low` and `high` at each false positive rate; all (K,)."""

    false_positive_rate: Floats
    low: Floats
    high: Floats


def roc_band(
    scores: ArrayLike, labels: ArrayLike, clusters: ArrayLike, level: float = 0.95
) -> RocBand:
    """Pointwise confidence band of the ROC curve: percentiles of the sensitivity over redrawn patients.

    Whole patients are drawn with replacement, so that several images of one do not count as independent. The band
    holds at each false positive rate taken alone, not for the whole curve at once. Draws without a class are left out.

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant
    clusters : (N,) names of patients; images of one name are drawn together
    level : confidence at each point, 0.95 for 95 %

    Raises
    ------
    ScoresInvalid, SingleClass

    Source: vertical averaging with percentiles, Fawcett, Pattern Recognit Lett 27:861 (2006); the cluster bootstrap,
    Rutter, Acad Radiol 7:413 (2000).
    """
    values, malignant = as_cases(scores, labels)
    place = np.unique(np.asarray(clusters), return_inverse=True)[1]
    if place.shape != malignant.shape:
        raise ScoresInvalid(
            problem=f"there are {place.size} clusters' names for {malignant.size} images"
        )
    drawn = _redrawn(values, malignant, place)
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2), axis=0)
    return RocBand(FALSE_POSITIVE_RATES, low, high)


def _redrawn(values: Floats, malignant: Flags, place: np.ndarray) -> Floats:
    """Sensitivities (draws, K) on the grid; the same for the same images."""
    random = np.random.default_rng(SEED)
    patients = int(place.max()) + 1
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), values.size - 1)
    rows = []
    for _ in range(BOOTSTRAP_DRAWS // DRAWS_PER_BATCH):
        often = random.multinomial(patients, np.full(patients, 1 / patients), DRAWS_PER_BATCH)[
            :, place[order]
        ]
        sick, well = (
            np.cumsum(often * own, axis=1)[:, ends]
            for own in (malignant[order], ~malignant[order])
        )
        rows += [
            _on_grid(up / up[-1], right / right[-1])
            for up, right in zip(sick, well, strict=True)
            if up[-1] and right[-1]
        ]
    return np.array(rows)


def _on_grid(sensitivity: Floats, false_positive_rate: Floats) -> Floats:
    """The greatest sensitivity that costs no more than each false positive rate of the grid."""
    reached = np.searchsorted(false_positive_rate, FALSE_POSITIVE_RATES + RATE_TOLERANCE, side="right")
    return np.concatenate(([0.0], sensitivity))[reached]
