"""EU-TIRADS 2017: one strong sign is enough for level 5, regardless of the echogenicity."""

from shared.guidelines.guideline import (
    BENIGN_STRUCTURE,
    IRREGULAR_MARGIN,
    ISO_OR_HYPERECHOIC,
    PUNCTATE_FOCI,
    TALLER_THAN_WIDE,
    VERY_HYPOECHOIC,
    Guideline,
    Level,
    LevelRule,
    Pattern,
    Sign,
    above,
)
from shared.guidelines.lexicon import Echogenicity

EU_TIRADS_2017 = Guideline(
    name="EU-TIRADS-2017",
    source="EU-TIRADS 2017: Russ et al., Eur Thyroid J 6:225",
    levels=(
        Level("EU-TIRADS 2"),
        Level("EU-TIRADS 3", biopsy=above(20)),
        Level("EU-TIRADS 4", biopsy=above(15)),
        Level("EU-TIRADS 5", biopsy=above(10)),
    ),
    signs=(
        Sign(TALLER_THAN_WIDE),
        Sign(IRREGULAR_MARGIN),
        Sign(PUNCTATE_FOCI),
        Sign(VERY_HYPOECHOIC),
    ),
    level_rules=(
        LevelRule("EU-TIRADS 2", Pattern(composition=BENIGN_STRUCTURE)),
        LevelRule("EU-TIRADS 5", min_points=1),
        LevelRule("EU-TIRADS 4", Pattern(echogenicity={Echogenicity.HYPOECHOIC})),
        LevelRule("EU-TIRADS 3", Pattern(echogenicity=ISO_OR_HYPERECHOIC)),
    ),
)
