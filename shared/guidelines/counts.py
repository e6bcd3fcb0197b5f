"""Kim 2002 and Kwak 2011: both count the suspicious signs and ignore the size."""

from shared.guidelines.guideline import (
    ANY_SIZE,
    HYPOECHOIC,
    IRREGULAR_MARGIN,
    PUNCTATE_FOCI,
    TALLER_THAN_WIDE,
    VERY_HYPOECHOIC,
    Guideline,
    Level,
    LevelRule,
    Pattern,
    Scope,
    Sign,
)
from shared.guidelines.lexicon import Composition

KIM_2002 = Guideline(
    name="Kim-2002",
    source="Kim et al., AJR Am J Roentgenol 178:687 (2002)",
    levels=(Level("negative"), Level("positive", biopsy=ANY_SIZE)),
    signs=(
        Sign(PUNCTATE_FOCI),
        Sign(IRREGULAR_MARGIN),
        Sign(VERY_HYPOECHOIC),
        Sign(TALLER_THAN_WIDE),
    ),
    level_rules=(LevelRule("positive", min_points=1), LevelRule("negative")),
)

KWAK_2011 = Guideline(
    name="Kwak-2011",
    source="Kwak et al., Radiology 260:892 (2011)",
    levels=(Level("3"), Level("4a"), Level("4b"), Level("4c"), Level("5")),
    signs=(
        Sign(Pattern(composition={Composition.SOLID})),
        Sign(Pattern(echogenicity=HYPOECHOIC)),
        Sign(IRREGULAR_MARGIN),
        Sign(PUNCTATE_FOCI),
        Sign(TALLER_THAN_WIDE),
    ),
    level_rules=(
        LevelRule("5", min_points=5),
        LevelRule("4c", min_points=3),
        LevelRule("4b", min_points=2),
        LevelRule("4a", min_points=1),
        LevelRule("3"),
    ),
    scope=Scope.RISK_ONLY,
)
