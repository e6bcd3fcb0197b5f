"""SERA's own rules, which lead from a calibrated risk to a level of a guideline.

Each rule is named after its guideline and has a version. A band reaches up to its upper limit. If
the published bands leave a gap, the gap belongs to the higher band.
"""

import math
from dataclasses import dataclass

from shared.guidelines.acr import ACR_2017
from shared.guidelines.guideline import Guideline, Level
from shared.guidelines.ktirads import K_TIRADS_2016, K_TIRADS_2021


@dataclass(frozen=True)
class Band:
    """The risks of one level, as fractions, from the band below it up to `limit`."""

    level: str
    limit: float
    inclusive: bool
    """Whether the limit itself belongs to the band."""

    def contains(self, risk: float) -> bool:
        return risk <= self.limit if self.inclusive else risk < self.limit


def band_below(limit: float, level: str) -> Band:
    return Band(level=level, limit=limit, inclusive=False)


def band_up_to(limit: float, level: str) -> Band:
    return Band(level=level, limit=limit, inclusive=True)


def highest_band(level: str) -> Band:
    return Band(level=level, limit=math.inf, inclusive=True)


@dataclass(frozen=True)
class RiskBandRule:
    """Applies a guideline's sizes to a level that comes from a risk instead of descriptors."""

    name: str
    guideline: Guideline
    bands: tuple[Band, ...]

    def level(self, risk: float) -> Level:
        band = next(band for band in self.bands if band.contains(risk))
        return self.guideline.level(band.level)


# Published: TR2 < 2 %, TR3 < 5 %, TR4 5-20 %, TR5 > 20 %.
_ACR_2017 = RiskBandRule(
    name="risk-band/ACR-2017/1",
    guideline=ACR_2017,
    bands=(
        band_below(0.02, "TR2"),
        band_below(0.05, "TR3"),
        band_up_to(0.20, "TR4"),
        highest_band("TR5"),
    ),
)

# Published: < 3 %, 3-10 %, 10-40 %, > 60 %; the gap is 40-60 %.
_K_TIRADS_2021 = RiskBandRule(
    name="risk-band/K-TIRADS-2021/1",
    guideline=K_TIRADS_2021,
    bands=(
        band_below(0.03, "K-TIRADS 2"),
        band_below(0.10, "K-TIRADS 3"),
        band_up_to(0.40, "K-TIRADS 4"),
        highest_band("K-TIRADS 5"),
    ),
)

# Published: < 3 %, 3-10 %, 15-50 %, > 60 %; the gaps are 10-15 % and 50-60 %.
_K_TIRADS_2016 = RiskBandRule(
    name="risk-band/K-TIRADS-2016/1",
    guideline=K_TIRADS_2016,
    bands=(
        band_below(0.03, "K-TIRADS 2"),
        band_up_to(0.10, "K-TIRADS 3"),
        band_up_to(0.50, "K-TIRADS 4"),
        highest_band("K-TIRADS 5"),
    ),
)

RULES: dict[str, RiskBandRule] = {
    rule.name: rule for rule in (_ACR_2017, _K_TIRADS_2021, _K_TIRADS_2016)
}
DEFAULT_RULE = _ACR_2017.name
