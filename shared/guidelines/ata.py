"""ATA 2015: sonographic patterns.

Some nodules fit none of the patterns. The guideline then gives no advice.
"""

from shared.guidelines.guideline import (
    HYPOECHOIC,
    IRREGULAR_MARGIN,
    ISO_OR_HYPERECHOIC,
    PUNCTATE_FOCI,
    TALLER_THAN_WIDE,
    Guideline,
    Level,
    LevelRule,
    Pattern,
    Sign,
    at_least,
)
from shared.guidelines.lexicon import Composition

_CYSTIC = Pattern(composition={Composition.CYSTIC})
_SPONGIFORM = Pattern(composition={Composition.SPONGIFORM})
_HYPOECHOIC_SOLID_PART = Pattern(
    composition={Composition.SOLID, Composition.MIXED}, echogenicity=HYPOECHOIC
)
_SOLID_HYPOECHOIC = Pattern(composition={Composition.SOLID}, echogenicity=HYPOECHOIC)
_SOLID_ISO_OR_HYPERECHOIC = Pattern(
    composition={Composition.SOLID}, echogenicity=ISO_OR_HYPERECHOIC
)
_MIXED_ECCENTRIC = Pattern(composition={Composition.MIXED}, eccentric=True)
_MIXED = Pattern(composition={Composition.MIXED})

ATA_2015 = Guideline(
    name="ATA-2015",
    source="ATA 2015: Haugen et al., Thyroid 26:1",
    levels=(
        Level("benign"),
        Level("very low suspicion", consider=at_least(20)),
        Level("low suspicion", biopsy=at_least(15)),
        Level("intermediate suspicion", biopsy=at_least(10)),
        Level("high suspicion", biopsy=at_least(10)),
    ),
    signs=(Sign(PUNCTATE_FOCI), Sign(TALLER_THAN_WIDE), Sign(IRREGULAR_MARGIN)),
    level_rules=(
        LevelRule("benign", _CYSTIC),
        LevelRule("very low suspicion", _SPONGIFORM),
        LevelRule("high suspicion", _HYPOECHOIC_SOLID_PART, min_points=1),
        LevelRule("intermediate suspicion", _SOLID_HYPOECHOIC),
        LevelRule("low suspicion", _SOLID_ISO_OR_HYPERECHOIC, max_points=0),
        LevelRule("low suspicion", _MIXED_ECCENTRIC, max_points=0),
        LevelRule("very low suspicion", _MIXED, max_points=0),
    ),
)
