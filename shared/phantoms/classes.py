"""How often benign and malignant nodules show each word of the lexicon."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from shared.guidelines.lexicon import Composition, Descriptors, Echogenicity, Focus, Margin, Orientation

Word = TypeVar("Word")
Frequencies = Mapping[Word, tuple[float, float]]
"""Share among benign and among malignant nodules.

The five tables are ours, in the order of size of the series behind ACR TI-RADS; the lexicon alone tells the classes
apart with an AUC of about 0.95, and what of it shows in the image with less.
"""

COMPOSITION: Frequencies[Composition] = {
    Composition.SOLID: (0.50, 0.88),
    Composition.MIXED: (0.28, 0.10),
    Composition.CYSTIC: (0.10, 0.01),
    Composition.SPONGIFORM: (0.12, 0.01),
}
ECHOGENICITY: Frequencies[Echogenicity] = {
    Echogenicity.HYPERECHOIC: (0.14, 0.03),
    Echogenicity.ISOECHOIC: (0.50, 0.17),
    Echogenicity.HYPOECHOIC: (0.31, 0.55),
    Echogenicity.VERY_HYPOECHOIC: (0.05, 0.25),
}
MARGIN: Frequencies[Margin] = {
    Margin.SMOOTH: (0.66, 0.20),
    Margin.ILL_DEFINED: (0.20, 0.20),
    Margin.LOBULATED: (0.09, 0.28),
    Margin.IRREGULAR: (0.05, 0.32),
}
ORIENTATION: Frequencies[Orientation] = {
    Orientation.WIDER: (0.92, 0.60),
    Orientation.TALLER: (0.08, 0.40),
}
FOCUS: Frequencies[Focus | None] = {
    None: (0.70, 0.44),
    Focus.PUNCTATE: (0.08, 0.40),
    Focus.MACROCALCIFICATION: (0.10, 0.10),
    Focus.RIM: (0.04, 0.04),
    Focus.COMET_TAIL: (0.08, 0.02),
}


def sample(rng: np.random.Generator, malignant: bool) -> Descriptors:
    """Draw a nodule's words, each by itself given the class; a cyst is smooth, anechoic and holds at most colloid."""
    composition = _pick(rng, COMPOSITION, malignant)
    echogenicity = _pick(rng, ECHOGENICITY, malignant)
    orientation = _pick(rng, ORIENTATION, malignant)
    margin = _pick(rng, MARGIN, malignant)
    focus = _pick(rng, FOCUS, malignant)
    if composition is Composition.CYSTIC:
        echogenicity, margin = Echogenicity.ANECHOIC, Margin.SMOOTH
        focus = Focus.COMET_TAIL if focus else None
    return Descriptors(composition, echogenicity, orientation, margin, frozenset([focus] if focus else []))


def _pick(rng: np.random.Generator, table: Frequencies[Word], malignant: bool) -> Word:
    shares = np.array([share[int(malignant)] for share in table.values()])
    return list(table)[rng.choice(len(table), p=shares / shares.sum())]
