"""How a model's recipe did at sites that its fits had not seen, and the gate's question about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.domain.messages import Facts
from shared.domain.models import GateReason, Weight
from shared.statistics.cases import Flags, Floats
from shared.statistics.confusion import ConfusionTable, Measure
from shared.statistics.discrimination.site_areas import SiteAreas, measure_site_areas
from shared.statistics.intervals import Interval
from shared.statistics.model_life.evaluation import rate_to_json


@dataclass(frozen=True)
class AreaInterval:
    """An AUC, or a difference of two, with its 95 % interval by patient if that is known."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: float, interval: Interval | None) -> "AreaInterval":
        if interval is None:
            return cls(value=value, low=None, high=None)
        return cls(value=value, low=interval.low, high=interval.high)


@dataclass(frozen=True)
class LeftOutSiteRow:
    """One site, judged by fits on all others.

    Attributes
    ----------
    auc : None if the site has images of one class only
    found : malignant images called malignant, at the cut-off of the other sites
    cleared : benign images not called malignant
    """

    site: str
    images: int
    malignant: int
    auc: AreaInterval | None
    found: int
    cleared: int

    def to_json(self) -> dict[str, Any]:
        benign = self.images - self.malignant
        table = ConfusionTable(
            tp=self.found,
            fn=self.malignant - self.found,
            fp=benign - self.cleared,
            tn=self.cleared,
        )
        return {
            "site": self.site,
            "images": self.images,
            "malignant": self.malignant,
            "auc": None if self.auc is None else asdict(self.auc),
            "sensitivity": rate_to_json(table.proportion(Measure.SENSITIVITY)),
            "specificity": rate_to_json(table.proportion(Measure.SPECIFICITY)),
        }


@dataclass(frozen=True)
class LeftOutSites:
    """All sites that could be judged.

    Attributes
    ----------
    areas : AUC over pairs of images of the same site, by model: `recipe` and what is compared with it
    against_baseline : the recipe's AUC less that of plain averages; None without such a model
    """

    rows: tuple[LeftOutSiteRow, ...]
    areas: Mapping[str, AreaInterval]
    against_baseline: AreaInterval | None

    def to_json(self) -> dict[str, Any]:
        difference = self.against_baseline
        return {
            "rows": [row.to_json() for row in self.rows],
            "areas": {name: asdict(area) for name, area in self.areas.items()},
            "against_baseline": None if difference is None else asdict(difference),
        }


RECIPE = "recipe"
BASELINE = "baseline"


@dataclass(frozen=True, eq=False)
class JudgedImages:
    """Images with what is needed to judge models on them; all (M,)."""

    malignant: Flags
    groups: NDArray[np.str_]
    sites: NDArray[np.str_]

    def areas(self, scores: Floats, mask: Flags | None = None) -> SiteAreas | None:
        """Return the AUCs of R judges' scores (R, M), of the images of a mask."""
        chosen = np.ones(len(self.malignant), bool) if mask is None else mask
        return measure_site_areas(
            scores[:, chosen],
            malignant=self.malignant[chosen],
            groups=self.groups[chosen],
            sites=self.sites[chosen],
        )


def left_out_sites(
    images: JudgedImages, scores: Mapping[str, Floats], decisions: Flags
) -> LeftOutSites | None:
    """Return the figures of images that all models judged; None if no site has both classes.

    Parameters
    ----------
    scores : (M,) by model: `RECIPE`, and others beside it
    decisions : (M,) of the recipe
    """
    stacked = {name: values[np.newaxis] for name, values in scores.items()}
    areas: dict[str, AreaInterval] = {}
    for name, values in stacked.items():
        area = images.areas(values)
        if area is None:
            return None
        areas[name] = AreaInterval.of(*area.area(0))
    difference = None
    if BASELINE in scores:
        pair = images.areas(np.stack([scores[RECIPE], scores[BASELINE]]))
        assert pair is not None
        difference = AreaInterval.of(*pair.difference())
    rows = []
    for site in np.unique(images.sites):
        at_site = images.sites == site
        area = images.areas(stacked[RECIPE], at_site)
        malignant = images.malignant[at_site]
        called = decisions[at_site]
        rows.append(
            LeftOutSiteRow(
                site=str(site),
                images=int(at_site.sum()),
                malignant=int(malignant.sum()),
                auc=None if area is None else AreaInterval.of(*area.area(0)),
                found=int((called & malignant).sum()),
                cleared=int((~called & ~malignant).sum()),
            )
        )
    return LeftOutSites(rows=tuple(rows), areas=areas, against_baseline=difference)


def left_out_reason(sites: LeftOutSites | None) -> GateReason:
    """Return what a candidate's left-out sites say for or against it.

    Against it, if it is shown to be worse there than plain averages of its networks.
    """
    if sites is None:
        return GateReason("left-out-sites-unknown", weight=Weight.NOTE, facts={})
    facts: Facts = {"sites": len(sites.rows), "auc": sites.areas[RECIPE].value}
    difference = sites.against_baseline
    if difference is None or difference.low is None or difference.high is None:
        return GateReason("left-out-sites-uncompared", weight=Weight.NOTE, facts=facts)
    facts = {
        **facts,
        "baseline": sites.areas[BASELINE].value,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
    }
    if difference.high < 0:
        return GateReason("left-out-sites-worse", weight=Weight.AGAINST, facts=facts)
    return GateReason("left-out-sites-kept", weight=Weight.FOR, facts=facts)
