"""ACR TI-RADS 2017: points for each descriptor, summed."""

from shared.guidelines.guideline import Case, Guideline, Level, Pattern, Sign, at_least
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
        Level("TR3", biopsy=at_least(25), follow=at_least(15), years=(1, 3, 5)),
        Level("TR4", biopsy=at_least(15), follow=at_least(10), years=(1, 2, 3, 5)),
        Level("TR5", biopsy=at_least(10), follow=at_least(5), years=(1, 2, 3, 4, 5)),
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
    cases=(
        Case("TR5", least=7),
        Case("TR4", least=4),
        Case("TR3", least=3),
        Case(
            "TR2", least=1
        ),  # the chart names 2 points only; 1 is read with it, and neither asks for FNA
        Case("TR1"),
    ),
    unscored=Pattern(composition={Composition.SPONGIFORM}),
)
