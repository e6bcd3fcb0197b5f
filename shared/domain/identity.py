"""Compares numbers and names of patients and sites as text: one person is one text.

The same number arrives in several spellings: Korean from macOS is decomposed (NFD), a spreadsheet
adds spaces, a form has full-width digits, and a copied text brings characters that nobody sees.
"""

import unicodedata
from collections.abc import Iterable

UNSEEN_CATEGORIES = frozenset({"Cf", "Cc", "Zs", "Zl", "Zp"})
"""Unicode categories that a number does not consist of: format characters, control characters and
spaces.
"""
UNSEEN_CHARACTERS = frozenset(
    "\u2800\ufffc\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f"
)
"""Other characters without a shape (Default_Ignorable_Code_Point of Unicode), such as Hangul's
fillers, and two that show nothing: Braille's blank and the placeholder of an object.
"""
VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
DASHES = frozenset("\u2212\u02d7\u2043")
"""Characters that look like a dash, but are not in its category: minus sign, modifier, bullet."""


def identity_key(text: str) -> str:
    """Return a text that is equal for all spellings of one number or name.

    Compatible characters become one (Unicode NFKC), letters lose their case, dashes become `-`, digits
    of every script become 0 to 9,
    and spaces and characters without a shape are removed. The key of an empty number is "".
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    characters = [
        _plain(character) for character in folded if not _is_unseen(character)
    ]
    return unicodedata.normalize("NFKC", "".join(characters))


class Spellings:
    """Gives each number or name the spelling in which it came first."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._by_key: dict[str, str] = {}
        for text in texts:
            self.unify(text)

    def unify(self, text: str) -> str:
        """Return the first spelling of the text; the text itself if it is new."""
        return self._by_key.setdefault(identity_key(text), text)


def _is_unseen(character: str) -> bool:
    if unicodedata.category(character) in UNSEEN_CATEGORIES:
        return True
    if character in UNSEEN_CHARACTERS:
        return True
    return any(ord(character) in selectors for selectors in VARIATION_SELECTORS)


def _plain(character: str) -> str:
    """Return `-` for every dash, and 0 to 9 for the digits of every script."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "-" if category == "Pd" or character in DASHES else character
