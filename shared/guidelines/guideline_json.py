"""A guideline as JSON values, for pages that count its points while a nodule is described."""

from collections.abc import Mapping
from typing import Any

from shared.guidelines.guideline import Guideline, LevelRule, Pattern

CHOICES = ("composition", "echogenicity", "orientation", "margin", "foci")


def guideline_to_json(guideline: Guideline) -> dict[str, Any]:
    """Return the signs with their points and the rules that lead to a level, in their order.

    A pattern has the terms of each field that it needs; `eccentric` is true or false.
    """
    unscored = guideline.unscored_pattern
    return {
        "name": guideline.name,
        "has_points": has_points(guideline),
        "signs": [
            {"pattern": _pattern(sign.pattern), "points": sign.points}
            for sign in guideline.signs
        ],
        "rules": [_rule(rule) for rule in guideline.level_rules],
        "unscored": _pattern(unscored) if unscored else None,
    }


def has_points(guideline: Guideline) -> bool:
    """Return whether signs weigh differently; otherwise their number counts."""
    return any(sign.points > 1 for sign in guideline.signs)


def points_by_term(guideline: Guideline) -> dict[str, dict[str, int]]:
    """Return what each term adds by itself, by field."""
    points: dict[str, dict[str, int]] = {}
    for sign in guideline.signs:
        terms = _pattern(sign.pattern)
        if len(terms) != 1:
            continue
        ((field, names),) = terms.items()
        for name in names:
            of_field = points.setdefault(field, {})
            of_field[name] = of_field.get(name, 0) + sign.points
    return points


def _rule(rule: LevelRule) -> Mapping[str, Any]:
    return {
        "level": rule.level,
        "pattern": _pattern(rule.pattern),
        "min_points": rule.min_points,
        "max_points": rule.max_points,
    }


def _pattern(pattern: Pattern) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: sorted(terms)
        for name in CHOICES
        if (terms := getattr(pattern, name)) is not None
    }
    if pattern.eccentric is not None:
        fields["eccentric"] = pattern.eccentric
    return fields
