"""One row of figures for each hospital: a model that is good on average can fail at one of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Flags, Floats, as_cases, as_labels
from shared.statistics.confusion import ConfusionTable, Measure
from shared.statistics.discrimination.delong import delong_interval
from shared.statistics.discrimination.roc import roc_auc
from shared.statistics.errors import ScoresInvalid
from shared.statistics.intervals import Interval, IntervalMethod

MEASURES = (Measure.SENSITIVITY, Measure.SPECIFICITY, Measure.ACCURACY)


@dataclass(frozen=True)
class Rate:
    """A rate, NaN where there is nothing to count, with its interval by every method."""

    successes: int
    total: int
    value: float
    intervals: dict[IntervalMethod, Interval]


@dataclass(frozen=True)
class Area:
    """AUC with DeLong's interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class SiteRates:
    """Figures of one site. `auc` is None without scores, or with fewer than two cases of a class."""

    site: str
    table: ConfusionTable
    auc: Area | None
    rates: dict[Measure, Rate]

    @property
    def cases(self) -> int:
        return self.malignant + self.benign

    @property
    def malignant(self) -> int:
        return self.table.tp + self.table.fn

    @property
    def benign(self) -> int:
        return self.table.tn + self.table.fp


def rates_by_site(
    sites: ArrayLike,
    decisions: ArrayLike,
    labels: ArrayLike,
    scores: ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[SiteRates, ...]:
    """Sensitivity, specificity, accuracy and AUC at each site, sites sorted by name.

    Parameters
    ----------
    sites : (N,) names
    called : (N,) bool or 0/1, 1 = called malignant, each case by the cut-off that was valid for it
    labels : (N,) bool or 0/1, 1 = malignant
    scores : (N,) float, higher = more likely malignant; None: no AUC
    level : confidence, 0.95 for 95 %

    Raises
    ------
    ScoresInvalid
    """
    names = np.asarray(sites, dtype=str)
    calls = as_labels(decisions)
    malignant = as_labels(labels)
    if not names.shape == calls.shape == malignant.shape:
        raise ScoresInvalid(
            problem=f"there are {names.size} sites, {calls.size} decisions, {malignant.size} labels"
        )
    values = None if scores is None else as_cases(scores, labels, min_per_class=0)[0]
    return tuple(
        _row(str(name), names == name, calls, malignant, values, level)
        for name in np.unique(names)
    )


def _row(
    name: str,
    here: Flags,
    called: Flags,
    malignant: Flags,
    scores: Floats | None,
    level: float,
) -> SiteRates:
    table = ConfusionTable.from_decisions(called[here], malignant[here])
    area = None if scores is None else _area(scores[here], malignant[here], level)
    return SiteRates(
        name,
        table,
        area,
        {measure: _rate(table, measure, level) for measure in MEASURES},
    )


def _rate(table: ConfusionTable, measure: Measure, level: float) -> Rate:
    part = table.proportion(measure)
    intervals = {method: part.interval(method, level) for method in IntervalMethod}
    return Rate(part.successes, part.total, part.value, intervals)


def _area(scores: Floats, malignant: Flags, level: float) -> Area | None:
    if min(malignant.sum(), (~malignant).sum()) < 2:
        return None
    return Area(roc_auc(scores, malignant), delong_interval(scores, malignant, level))
