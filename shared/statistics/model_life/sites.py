"""Figures for each hospital, because a model that is good on average can fail at one hospital."""

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
    """A rate with its interval by every method; NaN if the total is 0."""

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
    """Figures of one site.

    `auc` is None without scores, or with fewer than two cases of a class.
    """

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
    """Return the sensitivity, specificity, accuracy and AUC at each site, sites sorted by name.

    Parameters
    ----------
    sites : (N,) names
    decisions : (N,) bool or 0/1, 1 = called malignant; each case is decided by its valid cut-off
    labels : (N,) bool or 0/1, 1 = malignant
    scores : (N,) float, higher = more likely malignant; if it is None, no AUC is computed
    level : confidence, 0.95 for 95 %

    Raises
    ------
    ScoresInvalid
    """
    names = np.asarray(sites, dtype=str)
    is_positive = as_labels(decisions)
    is_malignant = as_labels(labels)
    if not names.shape == is_positive.shape == is_malignant.shape:
        raise ScoresInvalid(
            problem=f"there are {names.size} sites, {is_positive.size} decisions, "
            f"{is_malignant.size} labels"
        )
    values = None
    if scores is not None:
        values, _ = as_cases(scores, labels, min_per_class=0)
    rows = []
    for name in np.unique(names):
        at_site = names == name
        rows.append(
            _site_rates(
                str(name),
                decisions=is_positive[at_site],
                malignant=is_malignant[at_site],
                scores=None if values is None else values[at_site],
                level=level,
            )
        )
    return tuple(rows)


def _site_rates(
    name: str,
    *,
    decisions: Flags,
    malignant: Flags,
    scores: Floats | None,
    level: float,
) -> SiteRates:
    table = ConfusionTable.from_decisions(decisions, malignant)
    return SiteRates(
        site=name,
        table=table,
        auc=None if scores is None else _area(scores, malignant, level),
        rates={measure: _rate(table, measure, level) for measure in MEASURES},
    )


def _rate(table: ConfusionTable, measure: Measure, level: float) -> Rate:
    proportion = table.proportion(measure)
    return Rate(
        successes=proportion.successes,
        total=proportion.total,
        value=proportion.value,
        intervals={
            method: proportion.interval(method, level) for method in IntervalMethod
        },
    )


def _area(scores: Floats, malignant: Flags, level: float) -> Area | None:
    if min(malignant.sum(), (~malignant).sum()) < 2:
        return None
    return Area(
        value=roc_auc(scores, malignant),
        interval=delong_interval(scores, malignant, level),
    )
