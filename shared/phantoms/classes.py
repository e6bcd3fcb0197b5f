"""How often benign and malignant nodules show each term of the lexicon."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from shared.guidelines.lexicon import (
    Composition,
    Descriptors,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
)

Term = TypeVar("Term")
Frequencies = Mapping[Term, tuple[float, float]]
"""Share among benign and among malignant nodules.

The five tables are SERA's own. They are steeper than the series behind ACR TI-RADS. The terms of
the lexicon alone separate the classes with an AUC of about 0.97. Handcrafted features of the images
separate them with an AUC of about 0.92.
"""

COMPOSITION: Frequencies[Composition] = {
    Composition.SOLID: (0.50, 0.92),
    Composition.MIXED: (0.28, 0.06),
    Composition.CYSTIC: (0.10, 0.01),
    Composition.SPONGIFORM: (0.12, 0.01),
}
ECHOGENICITY: Frequencies[Echogenicity] = {
    Echogenicity.HYPERECHOIC: (0.16, 0.02),
    Echogenicity.ISOECHOIC: (0.58, 0.12),
    Echogenicity.HYPOECHOIC: (0.23, 0.56),
    Echogenicity.VERY_HYPOECHOIC: (0.03, 0.30),
}
MARGIN: Frequencies[Margin] = {
    Margin.SMOOTH: (0.74, 0.14),
    Margin.ILL_DEFINED: (0.18, 0.16),
    Margin.LOBULATED: (0.05, 0.32),
    Margin.IRREGULAR: (0.03, 0.38),
}
ORIENTATION: Frequencies[Orientation] = {
    Orientation.WIDER: (0.94, 0.56),
    Orientation.TALLER: (0.06, 0.44),
}
FOCUS: Frequencies[Focus | None] = {
    None: (0.73, 0.40),
    Focus.PUNCTATE: (0.05, 0.45),
    Focus.MACROCALCIFICATION: (0.10, 0.09),
    Focus.RIM: (0.04, 0.04),
    Focus.COMET_TAIL: (0.08, 0.02),
}


def sample_descriptors(rng: np.random.Generator, malignant: bool) -> Descriptors:
    """Draw a nodule's descriptors.

    Given the class, the descriptors are independent of each other. A cyst is always smooth and
    anechoic, and holds at most colloid.
    """
    composition = _sample_term(rng, COMPOSITION, malignant)
    echogenicity = _sample_term(rng, ECHOGENICITY, malignant)
    orientation = _sample_term(rng, ORIENTATION, malignant)
    margin = _sample_term(rng, MARGIN, malignant)
    focus = _sample_term(rng, FOCUS, malignant)
    if composition is Composition.CYSTIC:
        echogenicity = Echogenicity.ANECHOIC
        margin = Margin.SMOOTH
        focus = Focus.COMET_TAIL if focus else None
    return Descriptors(
        composition=composition,
        echogenicity=echogenicity,
        orientation=orientation,
        margin=margin,
        foci=frozenset([focus] if focus else []),
    )


def _sample_term(
    rng: np.random.Generator, frequencies: Frequencies[Term], malignant: bool
) -> Term:
    column = int(malignant)
    shares = np.array([pair[column] for pair in frequencies.values()])
    index = rng.choice(len(frequencies), p=shares / shares.sum())
    return list(frequencies)[index]
