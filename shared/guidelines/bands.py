"""From a calibrated risk to a level: SERA's own rules, each named after its guideline and versioned.

A band reaches up to its upper limit; where the published bands leave a hole, the higher band holds in it.
"""

import math
from dataclasses import dataclass

from shared.guidelines.acr import ACR_2017
from shared.guidelines.guideline import Guideline, Level
from shared.guidelines.ktirads import K_TIRADS_2016, K_TIRADS_2021


@dataclass(frozen=True)
class Band:
    """The risks of one level, as fractions, from the band below up to `limit`."""

    level: str
    limit: float
    inclusive: bool

    def holds(self, risk: float) -> bool:
        return risk <= self.limit if self.inclusive else risk < self.limit


def below(limit: float, level: str) -> Band:
    return Band(level, limit, inclusive=False)


def up_to(limit: float, level: str) -> Band:
    return Band(level, limit, inclusive=True)


def beyond(level: str) -> Band:
    """The highest band."""
    return Band(level, math.inf, inclusive=True)


@dataclass(frozen=True)
class RiskBandRule:
    """A guideline's sizes, reached from a risk instead of from descriptors."""

    name: str
    guideline: Guideline
    bands: tuple[Band, ...]

    def level(self, risk: float) -> Level:
        return self.guideline.level(
            next(band.level for band in self.bands if band.holds(risk))
        )


# Stated: TR2 < 2 %, TR3 < 5 %, TR4 5-20 %, TR5 > 20 %.
_ACR_2017 = RiskBandRule(
    name="risk-band/ACR-2017/1",
    guideline=ACR_2017,
    bands=(below(0.02, "TR2"), below(0.05, "TR3"), up_to(0.20, "TR4"), beyond("TR5")),
)

# Stated: < 3 %, 3-10 %, 10-40 %, > 60 %; the hole is 40-60 %.
_K_TIRADS_2021 = RiskBandRule(
    name="risk-band/K-TIRADS-2021/1",
    guideline=K_TIRADS_2021,
    bands=(
        below(0.03, "K-TIRADS 2"),
        below(0.10, "K-TIRADS 3"),
        up_to(0.40, "K-TIRADS 4"),
        beyond("K-TIRADS 5"),
    ),
)

# Stated: < 3 %, 3-10 %, 15-50 %, > 60 %; the holes are 10-15 % and 50-60 %.
_K_TIRADS_2016 = RiskBandRule(
    name="risk-band/K-TIRADS-2016/1",
    guideline=K_TIRADS_2016,
    bands=(
        below(0.03, "K-TIRADS 2"),
        up_to(0.10, "K-TIRADS 3"),
        up_to(0.50, "K-TIRADS 4"),
        beyond("K-TIRADS 5"),
    ),
)

RULES: dict[str, RiskBandRule] = {
    rule.name: rule for rule in (_ACR_2017, _K_TIRADS_2021, _K_TIRADS_2016)
}
DEFAULT_RULE = _ACR_2017.name
