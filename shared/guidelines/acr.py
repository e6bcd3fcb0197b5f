"""ACR TI-RADS 2017: points for each descriptor, summed."""

from shared.guidelines.guideline import (
    Guideline,
    Level,
    LevelRule,
    Pattern,
    Sign,
    at_least,
)
from shared.guidelines.lexicon import (
    Composition,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
)

ACR_2017 = Guideline(
    name="ACR-2017",
    source="ACR TI-RADS 2017: Tessler et al., J Am Coll Radiol 14:587",
    levels=(
        Level("TR1"),
        Level("TR2"),
        Level(
            "TR3",
            biopsy=at_least(25),
            follow_up=at_least(15),
            follow_up_years=(1, 3, 5),
        ),
        Level(
            "TR4",
            biopsy=at_least(15),
            follow_up=at_least(10),
            follow_up_years=(1, 2, 3, 5),
        ),
        Level(
            "TR5",
            biopsy=at_least(10),
            follow_up=at_least(5),
            follow_up_years=(1, 2, 3, 4, 5),
        ),
    ),
    signs=(
        Sign(Pattern(composition={Composition.MIXED}), 1),
        Sign(Pattern(composition={Composition.SOLID, Composition.CALCIFIED}), 2),
        Sign(
            Pattern(
                echogenicity={
                    Echogenicity.HYPERECHOIC,
                    Echogenicity.ISOECHOIC,
                    Echogenicity.UNKNOWN,
                }
            ),
            1,
        ),
        Sign(Pattern(echogenicity={Echogenicity.HYPOECHOIC}), 2),
        Sign(Pattern(echogenicity={Echogenicity.VERY_HYPOECHOIC}), 3),
        Sign(Pattern(orientation={Orientation.TALLER}), 3),
        Sign(Pattern(margin={Margin.LOBULATED, Margin.IRREGULAR}), 2),
        Sign(Pattern(margin={Margin.EXTRATHYROIDAL}), 3),
        Sign(Pattern(foci={Focus.MACROCALCIFICATION}), 1),
        Sign(Pattern(foci={Focus.RIM}), 2),
        Sign(Pattern(foci={Focus.PUNCTATE}), 3),
    ),
    level_rules=(
        LevelRule("TR5", min_points=7),
        LevelRule("TR4", min_points=4),
        LevelRule("TR3", min_points=3),
        # The chart names 2 points only. 1 point counts as TR2 as well. TR2 and TR1 need no
        # FNA.
        LevelRule("TR2", min_points=1),
        LevelRule("TR1"),
    ),
    unscored_pattern=Pattern(composition={Composition.SPONGIFORM}),
)
