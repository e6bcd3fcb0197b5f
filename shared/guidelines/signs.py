"""The terms that several guidelines count, so that each is drawn once."""

from shared.guidelines.guideline import Pattern
from shared.guidelines.lexicon import (
    Composition,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
)

BENIGN_STRUCTURE = frozenset({Composition.CYSTIC, Composition.SPONGIFORM})
ISO_OR_HYPERECHOIC = frozenset({Echogenicity.ISOECHOIC, Echogenicity.HYPERECHOIC})
HYPOECHOIC = frozenset({Echogenicity.HYPOECHOIC, Echogenicity.VERY_HYPOECHOIC})

IRREGULAR_MARGIN = Pattern(
    margin=frozenset({Margin.LOBULATED, Margin.IRREGULAR, Margin.EXTRATHYROIDAL})
)
TALLER_THAN_WIDE = Pattern(orientation=frozenset({Orientation.TALLER}))
PUNCTATE_FOCI = Pattern(foci=frozenset({Focus.PUNCTATE}))
VERY_HYPOECHOIC = Pattern(echogenicity=frozenset({Echogenicity.VERY_HYPOECHOIC}))
