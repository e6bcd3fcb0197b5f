"""The description of a nodule on a page: the lexicon's terms, and the guideline that counts them."""

from functools import partial
from typing import Any

from services.api.cases.reader_level import own_guideline
from services.api.reports import sentences
from services.api.reports.sentences import translator
from services.api.web.languages import Translations
from services.api.web.page import Visitor
from shared.guidelines import TERMS_BY_FIELD, Focus
from shared.guidelines.guideline_json import (
    guideline_to_json,
    has_points,
    points_by_term,
)
from shared.ledger import HospitalSession
from shared.settings import Settings


def description_facts(
    session: HospitalSession, settings: Settings, visitor: Visitor
) -> dict[str, Any]:
    """The variables of `describe.html`, for the guideline of the hospital's FNA rule."""
    guideline = own_guideline(session, settings)
    say = translator(visitor.language)
    levels = {
        level.name: sentences.level(say, level.name) for level in guideline.levels
    }
    return {
        "own_words": partial(_own_words, visitor.translations, guideline.name),
        "lexicon": TERMS_BY_FIELD,
        "foci": Focus,
        "guideline": guideline,
        "guideline_name": sentences.rule(say, guideline.name),
        "counted_guideline": guideline_to_json(guideline) | {"levels": levels},
        "term_points": points_by_term(guideline),
        "has_points": has_points(guideline),
    }


def _own_words(texts: Translations, guideline: str, key: str, general_key: str) -> str:
    """Return a term in a guideline's own words; in those of the ACR lexicon if it has no others.

    The editions of a guideline share their words: `K-TIRADS-2021` has those of `k-tirads`.
    """
    family = guideline.rpartition("-")[0].lower()
    own_key = f"reader.own.{family}.{key}"
    return texts(own_key) if own_key in texts else texts(general_key)
