"""Descriptors as JSON: an object with the names and terms of the lexicon."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from shared.domain.strict_json import load_json
from shared.guidelines.errors import DescriptorsUnreadable, DescriptorUnusable
from shared.guidelines.lexicon import (
    Composition,
    Descriptors,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
)

TERMS_BY_FIELD: Mapping[str, type[StrEnum]] = {
    "composition": Composition,
    "echogenicity": Echogenicity,
    "orientation": Orientation,
    "margin": Margin,
}
"""Each field takes one term, and all fields are required.

An incomplete description would get too few points.
"""
FOCI = "foci"
ECCENTRIC = "eccentric"
FIELDS = (*TERMS_BY_FIELD, FOCI, ECCENTRIC)
Term = TypeVar("Term", bound=StrEnum)
DESCRIPTORS_EXAMPLE: Mapping[str, Any] = {
    "composition": "solid",
    "echogenicity": "hypoechoic",
    "orientation": "wider-than-tall",
    "margin": "smooth",
    "foci": ["punctate"],
}


def parse_descriptors(source: str | Mapping[str, Any]) -> Descriptors:
    """Read descriptors from JSON text or from a parsed object.

    Raises
    ------
    DescriptorsUnreadable
        if `source` is not a JSON object with known names.
    DescriptorUnusable
        if a field is missing or its value is not a term of the lexicon.
    """
    fields = _parse_json(source) if isinstance(source, str) else source
    if not isinstance(fields, Mapping) or not set(fields) <= set(FIELDS):
        raise DescriptorsUnreadable(
            known=", ".join(FIELDS), example=json.dumps(DESCRIPTORS_EXAMPLE)
        )
    composition = _parse_term(fields, "composition", Composition)
    return Descriptors(
        composition=composition,
        echogenicity=_parse_term(fields, "echogenicity", Echogenicity),
        orientation=_parse_term(fields, "orientation", Orientation),
        margin=_parse_term(fields, "margin", Margin),
        eccentric=_parse_eccentric(fields.get(ECCENTRIC, False), composition),
        foci=_parse_foci(fields.get(FOCI, [])),
    )


def descriptors_to_json(nodule: Descriptors) -> dict[str, Any]:
    """The object that `parse_descriptors` reads; equal nodules give equal objects."""
    terms = {name: getattr(nodule, name).value for name in TERMS_BY_FIELD}
    foci = [focus.value for focus in Focus if focus in nodule.foci]
    return {**terms, FOCI: foci, ECCENTRIC: nodule.eccentric}


def _parse_json(text: str) -> object:
    try:
        return load_json(text)
    except (ValueError, RecursionError):
        return None


def _parse_term(fields: Mapping[str, Any], name: str, terms: type[Term]) -> Term:
    value = fields.get(name)
    if not isinstance(value, str) or value not in set(terms):
        raise DescriptorUnusable(name=name, takes=", ".join(terms))
    return terms(value)


def _parse_foci(value: object) -> frozenset[Focus]:
    if not isinstance(value, list) or not all(_is_focus(item) for item in value):
        raise DescriptorUnusable(name=FOCI, takes=f"[{', '.join(Focus)}]")
    return frozenset(Focus(item) for item in value)


def _is_focus(value: object) -> bool:
    return isinstance(value, str) and value in set(Focus)


def _parse_eccentric(value: object, composition: Composition) -> bool:
    is_mixed = composition is Composition.MIXED
    if not isinstance(value, bool) or (value and not is_mixed):
        raise DescriptorUnusable(
            name=ECCENTRIC, takes="false, true (composition: mixed)"
        )
    return value
