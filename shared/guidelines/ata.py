"""ATA 2015: sonographic patterns. Some nodules fit none of them, and the guideline then gives no advice."""

from shared.guidelines.guideline import LevelRule, Guideline, Level, Pattern, Sign, at_least
from shared.guidelines.lexicon import Composition
from shared.guidelines.signs import (
    HYPOECHOIC,
    IRREGULAR_MARGIN,
    ISO_OR_HYPERECHOIC,
    PUNCTATE_FOCI,
    TALLER_THAN_WIDE,
)

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
        LevelRule("benign", Pattern(composition={Composition.CYSTIC})),
        LevelRule("very low suspicion", Pattern(composition={Composition.SPONGIFORM})),
        LevelRule(
            "high suspicion",
            Pattern({Composition.SOLID, Composition.MIXED}, HYPOECHOIC),
            min_points=1,
        ),
        LevelRule("intermediate suspicion", Pattern({Composition.SOLID}, HYPOECHOIC)),
        LevelRule("low suspicion", Pattern({Composition.SOLID}, ISO_OR_HYPERECHOIC), max_points=0),
        LevelRule("low suspicion", Pattern({Composition.MIXED}, eccentric=True), max_points=0),
        LevelRule("very low suspicion", Pattern({Composition.MIXED}), max_points=0),
    ),
)
