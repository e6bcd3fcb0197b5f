"""The form of a guideline: signs with points, cases that name a level, and each level's sizes for FNA.

A guideline is data of this form; `assess` is the only evaluator.
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
    """A size in mm that is to be reached, or exceeded where it is not inclusive."""

    mm: float
    inclusive: bool

    def is_met_by(self, size_mm: float) -> bool:
        return size_mm >= self.mm if self.inclusive else size_mm > self.mm


def at_least(mm: float) -> Threshold:
    """The guideline writes >=."""
    return Threshold(mm, inclusive=True)


def above(mm: float) -> Threshold:
    """The guideline writes >."""
    return Threshold(mm, inclusive=False)


ANY_SIZE = at_least(0)


@dataclass(frozen=True)
class Level:
    """A category and what it asks for; None = not at any size."""

    name: str
    biopsy: Threshold | None = None
    consider: Threshold | None = None
    """From here on the guideline leaves FNA to judgement."""
    follow_up: Threshold | None = None
    follow_up_years: tuple[int, ...] = ()
    """Years after the examination at which to look again."""


@dataclass(frozen=True)
class Pattern:
    """Descriptors that satisfy every field given; of foci, any one of those named."""

    composition: Set[Composition] | None = None
    echogenicity: Set[Echogenicity] | None = None
    orientation: Set[Orientation] | None = None
    margin: Set[Margin] | None = None
    foci: Set[Focus] | None = None
    eccentric: bool | None = None

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
    """A finding that counts, and for how much."""

    pattern: Pattern
    points: int = 1


@dataclass(frozen=True)
class LevelRule:
    """Nodules of a pattern whose signs add up to a number of points within these limits are of this level."""

    level: str
    pattern: Pattern = ANYTHING
    min_points: int = 0
    max_points: int | None = None

    def applies_to(self, nodule: Descriptors, points: int) -> bool:
        return (
            self.min_points <= points
            and (self.max_points is None or points <= self.max_points)
            and self.pattern.matches(nodule)
        )


class Scope(Enum):
    """What a guideline speaks about."""

    BIOPSY = "biopsy"
    RISK_ONLY = "risk only"


@dataclass(frozen=True)
class Guideline:
    """Levels, and how descriptors lead to one: the first case that covers the nodule, else none."""

    name: str
    source: str
    levels: tuple[Level, ...]
    signs: tuple[Sign, ...]
    level_rules: tuple[LevelRule, ...]
    scope: Scope = Scope.BIOPSY
    unscored_pattern: Pattern | None = None
    """Nodules whose signs add nothing."""

    def points(self, nodule: Descriptors) -> int:
        if self.unscored_pattern and self.unscored_pattern.matches(nodule):
            return 0
        return sum(sign.points for sign in self.signs if sign.pattern.matches(nodule))

    def classify(self, nodule: Descriptors) -> Level | None:
        """The nodule's level; None where the guideline has no place for it."""
        points = self.points(nodule)
        return next(
            (
                self.level(case.level)
                for case in self.level_rules
                if case.applies_to(nodule, points)
            ),
            None,
        )

    def level(self, name: str) -> Level:
        return next(level for level in self.levels if level.name == name)
