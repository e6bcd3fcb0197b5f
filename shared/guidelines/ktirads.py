"""K-TIRADS 2016 and 2021: solidity and echogenicity, with or without a suspicious sign."""

from shared.guidelines.guideline import (
    BENIGN_STRUCTURE,
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
    above,
    at_least,
)
from shared.guidelines.lexicon import Composition, Focus

_SIGNS = (Sign(PUNCTATE_FOCI), Sign(TALLER_THAN_WIDE), Sign(IRREGULAR_MARGIN))
_SOLID_HYPOECHOIC = Pattern(composition={Composition.SOLID}, echogenicity=HYPOECHOIC)
_MIXED = Pattern(composition={Composition.MIXED})
_SOLID_ISO_OR_HYPERECHOIC = Pattern(
    composition={Composition.SOLID}, echogenicity=ISO_OR_HYPERECHOIC
)
_COMET_TAIL_IN_CYST = Pattern(composition={Composition.MIXED}, foci={Focus.COMET_TAIL})

_LEVEL_RULES = (
    LevelRule("K-TIRADS 2", Pattern(composition=BENIGN_STRUCTURE)),
    LevelRule("K-TIRADS 2", _COMET_TAIL_IN_CYST, max_points=0),
    LevelRule("K-TIRADS 5", _SOLID_HYPOECHOIC, min_points=1),
    LevelRule("K-TIRADS 4", _SOLID_HYPOECHOIC),
    LevelRule("K-TIRADS 4", Pattern(composition={Composition.CALCIFIED})),
    LevelRule("K-TIRADS 4", _MIXED, min_points=1),
    LevelRule("K-TIRADS 4", _SOLID_ISO_OR_HYPERECHOIC, min_points=1),
    LevelRule("K-TIRADS 3", _MIXED),
    LevelRule("K-TIRADS 3", _SOLID_ISO_OR_HYPERECHOIC),
)

K_TIRADS_2021 = Guideline(
    name="K-TIRADS-2021",
    source="K-TIRADS 2021: Ha et al., Korean J Radiol 22:2094",
    levels=(
        Level("K-TIRADS 2"),
        Level("K-TIRADS 3", biopsy=above(20)),
        # "> 10-15 mm": between the two sizes the examiner chooses.
        Level("K-TIRADS 4", biopsy=above(15), consider=above(10)),
        Level("K-TIRADS 5", biopsy=above(10), consider=at_least(5)),
    ),
    signs=_SIGNS,
    level_rules=_LEVEL_RULES,
)

K_TIRADS_2016 = Guideline(
    name="K-TIRADS-2016",
    source="K-TIRADS 2016: Shin et al., Korean J Radiol 17:370",
    levels=(
        Level("K-TIRADS 2"),
        Level("K-TIRADS 2, spongiform", biopsy=at_least(20)),
        Level("K-TIRADS 3", biopsy=at_least(15)),
        Level("K-TIRADS 4", biopsy=at_least(10)),
        Level("K-TIRADS 5", biopsy=at_least(10)),
    ),
    signs=_SIGNS,
    level_rules=(
        LevelRule(
            "K-TIRADS 2, spongiform", Pattern(composition={Composition.SPONGIFORM})
        ),
        *_LEVEL_RULES,
    ),
)
