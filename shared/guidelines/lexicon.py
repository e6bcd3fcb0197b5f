"""What a radiologist says of a nodule: the terms that the guidelines share (ACR lexicon; Grant, JACR 12:1272, 2015)."""

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
    """Entirely calcified, so that nothing else can be told."""


class Echogenicity(StrEnum):
    """Of the solid part, against thyroid tissue; very hypoechoic is darker than the strap muscles."""

    ANECHOIC = "anechoic"
    HYPERECHOIC = "hyperechoic"
    ISOECHOIC = "isoechoic"
    HYPOECHOIC = "hypoechoic"
    VERY_HYPOECHOIC = "very-hypoechoic"
    UNKNOWN = "unknown"


class Orientation(StrEnum):
    """On the transverse image; taller than wide is K-TIRADS' nonparallel."""

    WIDER = "wider-than-tall"
    TALLER = "taller-than-wide"


class Margin(StrEnum):
    SMOOTH = "smooth"
    ILL_DEFINED = "ill-defined"
    LOBULATED = "lobulated"
    """With microlobulated."""
    IRREGULAR = "irregular"
    """With spiculated and infiltrative."""
    EXTRATHYROIDAL = "extrathyroidal"
    """Growing beyond the thyroid; irregular to a guideline that has no such term."""


class Focus(StrEnum):
    """Echogenic foci; a nodule may have several kinds. Punctate ones are other guidelines' microcalcifications."""

    COMET_TAIL = "comet-tail"
    MACROCALCIFICATION = "macrocalcification"
    RIM = "rim"
    PUNCTATE = "punctate"


@dataclass(frozen=True)
class Descriptors:
    """One nodule in the terms of the lexicon; no foci = none seen."""

    composition: Composition
    echogenicity: Echogenicity
    orientation: Orientation
    margin: Margin
    foci: frozenset[Focus] = frozenset()
    eccentric: bool = False
    """Of a mixed nodule: the solid part lies to one side. Only ATA 2015 asks."""
