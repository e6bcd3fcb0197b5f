"""Descriptors as they are sent and kept: a JSON object with the names and terms of the lexicon."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

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
"""Of each one term, all of them needed: points for half a description would be too few."""
Term = TypeVar("Term", bound=StrEnum)
FOCI = "foci"
ECCENTRIC = "eccentric"
DESCRIPTORS_EXAMPLE: Mapping[str, Any] = {
    "composition": "solid",
    "echogenicity": "hypoechoic",
    "orientation": "wider-than-tall",
    "margin": "smooth",
    "foci": ["punctate"],
}


def parse_descriptors(sent: str | Mapping[str, Any]) -> Descriptors:
    """Read descriptors, as JSON text or already parsed. Raises DescriptorsUnreadable, DescriptorUnusable."""
    fields = _parsed(sent) if isinstance(sent, str) else sent
    if not isinstance(fields, Mapping) or not set(fields) <= {
        *TERMS_BY_FIELD,
        FOCI,
        ECCENTRIC,
    }:
        raise DescriptorsUnreadable(
            known=", ".join((*TERMS_BY_FIELD, FOCI, ECCENTRIC)), example=json.dumps(DESCRIPTORS_EXAMPLE)
        )
    composition = _term("composition", fields.get("composition"), Composition)
    return Descriptors(
        composition=composition,
        echogenicity=_term("echogenicity", fields.get("echogenicity"), Echogenicity),
        orientation=_term("orientation", fields.get("orientation"), Orientation),
        margin=_term("margin", fields.get("margin"), Margin),
        eccentric=_eccentric(fields.get(ECCENTRIC, False), composition),
        foci=_foci(fields.get(FOCI, [])),
    )


def descriptors_to_json(nodule: Descriptors) -> dict[str, Any]:
    """What `describe` reads; the same for the same nodule."""
    chosen = {name: getattr(nodule, name).value for name in TERMS_BY_FIELD}
    foci = [focus.value for focus in Focus if focus in nodule.foci]
    return {**chosen, FOCI: foci, ECCENTRIC: nodule.eccentric}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _term(name: str, sent: object, terms: type[Term]) -> Term:
    if not isinstance(sent, str) or sent not in set(terms):
        raise DescriptorUnusable(name=name, takes=", ".join(terms))
    return terms(sent)


def _foci(sent: object) -> frozenset[Focus]:
    if (
        not isinstance(sent, list)
        or not all(isinstance(each, str) for each in sent)
        or not set(sent) <= set(Focus)
    ):
        raise DescriptorUnusable(name=FOCI, takes=f"[{', '.join(Focus)}]")
    return frozenset(map(Focus, sent))


def _eccentric(sent: object, composition: Composition) -> bool:
    if not isinstance(sent, bool) or (sent and composition is not Composition.MIXED):
        raise DescriptorUnusable(
            name=ECCENTRIC, takes="false, true (composition: mixed)"
        )
    return sent
