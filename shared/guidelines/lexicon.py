"""The terms for a nodule that the guidelines share.

The terms come from the ACR lexicon (Grant et al., JACR 12:1272, 2015).
"""

from dataclasses import dataclass
from enum import StrEnum


class Composition(StrEnum):
    CYSTIC = "cystic"
    """Purely or almost purely fluid."""
    SPONGIFORM = "spongiform"
    MIXED = "mixed"
    """Partly solid, partly cystic."""
    SOLID = "solid"
    CALCIFIED = "calcified"
    """Entirely calcified, so that no other descriptor can be judged."""


class Echogenicity(StrEnum):
    """Echogenicity of the solid part, compared with thyroid tissue.

    Very hypoechoic is darker than the strap muscles.
    """

    ANECHOIC = "anechoic"
    HYPERECHOIC = "hyperechoic"
    ISOECHOIC = "isoechoic"
    HYPOECHOIC = "hypoechoic"
    VERY_HYPOECHOIC = "very-hypoechoic"
    UNKNOWN = "unknown"


class Orientation(StrEnum):
    """Orientation on the transverse image; K-TIRADS calls taller than wide nonparallel."""

    WIDER = "wider-than-tall"
    TALLER = "taller-than-wide"


class Margin(StrEnum):
    SMOOTH = "smooth"
    ILL_DEFINED = "ill-defined"
    LOBULATED = "lobulated"
    """Includes microlobulated."""
    IRREGULAR = "irregular"
    """Includes spiculated and infiltrative."""
    EXTRATHYROIDAL = "extrathyroidal"
    """Growing beyond the thyroid.

    A guideline without this term counts it as irregular.
    """


class Focus(StrEnum):
    """Echogenic foci; a nodule may have several kinds.

    Other guidelines call punctate foci microcalcifications.
    """

    COMET_TAIL = "comet-tail"
    MACROCALCIFICATION = "macrocalcification"
    RIM = "rim"
    PUNCTATE = "punctate"


@dataclass(frozen=True)
class Descriptors:
    """One nodule in the terms of the lexicon; an empty set of foci means that none are visible."""

    composition: Composition
    echogenicity: Echogenicity
    orientation: Orientation
    margin: Margin
    foci: frozenset[Focus] = frozenset()
    eccentric: bool = False
    """Whether the solid part of a mixed nodule is on one side. Only ATA 2015 uses it."""
