"""The form of a guideline as data.

A guideline has signs with points, rules that lead to a level, and for each level the sizes for FNA.
`shared.guidelines.rules.assess` evaluates every guideline. The terms that several guidelines use
are at the end of this module.
"""

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum

from shared.guidelines.lexicon import (
    Composition,
    Descriptors,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
)


@dataclass(frozen=True)
class Threshold:
    """A size in mm that must be reached, or exceeded if it is not inclusive."""

    mm: float
    inclusive: bool

    def is_met_by(self, size_mm: float) -> bool:
        return size_mm >= self.mm if self.inclusive else size_mm > self.mm


def at_least(mm: float) -> Threshold:
    """The threshold that a guideline writes as >=."""
    return Threshold(mm, inclusive=True)


def above(mm: float) -> Threshold:
    """The threshold that a guideline writes as >."""
    return Threshold(mm, inclusive=False)


ANY_SIZE = at_least(0)


@dataclass(frozen=True)
class Level:
    """A category of a guideline and its thresholds. A threshold of None is never met."""

    name: str
    biopsy: Threshold | None = None
    """The size from which the guideline advises FNA."""
    consider: Threshold | None = None
    """The size from which the guideline leaves FNA to judgement."""
    follow_up: Threshold | None = None
    follow_up_years: tuple[int, ...] = ()
    """The years after the examination in which another examination is due."""


@dataclass(frozen=True)
class Pattern:
    """A set of descriptors.

    A nodule matches if it satisfies every field that is set. Any one of the named foci is enough.
    """

    composition: Set[Composition] | None = None
    echogenicity: Set[Echogenicity] | None = None
    orientation: Set[Orientation] | None = None
    margin: Set[Margin] | None = None
    foci: Set[Focus] | None = None
    eccentric: bool | None = None
    """Whether the solid part of a partly cystic nodule lies to one side."""

    def matches(self, nodule: Descriptors) -> bool:
        return (
            (self.composition is None or nodule.composition in self.composition)
            and (self.echogenicity is None or nodule.echogenicity in self.echogenicity)
            and (self.orientation is None or nodule.orientation in self.orientation)
            and (self.margin is None or nodule.margin in self.margin)
            and (self.foci is None or not self.foci.isdisjoint(nodule.foci))
            and (self.eccentric is None or nodule.eccentric is self.eccentric)
        )


ANYTHING = Pattern()


@dataclass(frozen=True)
class Sign:
    """A finding that adds points."""

    pattern: Pattern
    points: int = 1


@dataclass(frozen=True)
class LevelRule:
    """Assigns a level to the nodules that match a pattern and have `min_points` to `max_points`."""

    level: str
    pattern: Pattern = ANYTHING
    min_points: int = 0
    max_points: int | None = None

    def applies_to(self, nodule: Descriptors, points: int) -> bool:
        if points < self.min_points:
            return False
        if self.max_points is not None and points > self.max_points:
            return False
        return self.pattern.matches(nodule)


class Scope(Enum):
    """Whether a guideline gives advice on FNA, or only a level of risk."""

    BIOPSY = "biopsy"
    RISK_ONLY = "risk only"


@dataclass(frozen=True)
class Guideline:
    """Levels, and the rules that lead from descriptors to a level; the first matching rule wins."""

    name: str
    source: str
    levels: tuple[Level, ...]
    signs: tuple[Sign, ...]
    level_rules: tuple[LevelRule, ...]
    scope: Scope = Scope.BIOPSY
    unscored_pattern: Pattern | None = None
    """Nodules whose signs add no points."""

    def points(self, nodule: Descriptors) -> int:
        if self.unscored_pattern and self.unscored_pattern.matches(nodule):
            return 0
        return sum(sign.points for sign in self.signs if sign.pattern.matches(nodule))

    def classify(self, nodule: Descriptors) -> Level | None:
        """The nodule's level; None if the guideline has no category for it."""
        points = self.points(nodule)
        for rule in self.level_rules:
            if rule.applies_to(nodule, points):
                return self.level(rule.level)
        return None

    def level(self, name: str) -> Level:
        return next(level for level in self.levels if level.name == name)


BENIGN_STRUCTURE = frozenset({Composition.CYSTIC, Composition.SPONGIFORM})
ISO_OR_HYPERECHOIC = frozenset({Echogenicity.ISOECHOIC, Echogenicity.HYPERECHOIC})
HYPOECHOIC = frozenset({Echogenicity.HYPOECHOIC, Echogenicity.VERY_HYPOECHOIC})

IRREGULAR_MARGIN = Pattern(
    margin=frozenset({Margin.LOBULATED, Margin.IRREGULAR, Margin.EXTRATHYROIDAL})
)
TALLER_THAN_WIDE = Pattern(orientation=frozenset({Orientation.TALLER}))
PUNCTATE_FOCI = Pattern(foci=frozenset({Focus.PUNCTATE}))
VERY_HYPOECHOIC = Pattern(echogenicity=frozenset({Echogenicity.VERY_HYPOECHOIC}))
