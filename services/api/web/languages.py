"""Texts of the pages in each language.

The files are `words/LANGUAGE/NAME.toml`. A value's key is `NAME.table.key`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from services.api.locales import Language

FOLDER = Path(__file__).parent / "words"
LANGUAGES = {Language.ENGLISH: "English", Language.KOREAN: "한국어"}
"""Each language's own name by its code."""


class Translations:
    """The texts of one language. A call with a key and its fields returns the sentence.

    The sentence is markup if a field is markup. An unknown key raises KeyError.
    """

    def __init__(self, language: Language, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **fields: object) -> str:
        text = self._texts[key]
        if any(isinstance(field, Markup) for field in fields.values()):
            text = escape(text)
        return text.format(**fields) if fields else text

    def __contains__(self, key: object) -> bool:
        return key in self._texts

    def keys(self) -> Sequence[str]:
        return sorted(self._texts)

    def in_files(self, names: Sequence[str]) -> dict[str, str]:
        """The texts of these files by key, for the script of a page."""
        return {
            key: text
            for key, text in self._texts.items()
            if key.partition(".")[0] in names
        }


def load_translations(language: Language, folder: Path = FOLDER) -> Translations:
    texts: dict[str, str] = {}
    for file in sorted((folder / language).glob("*.toml")):
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        texts |= _flatten(file.stem, tables)
    return Translations(language, texts)


def _flatten(prefix: str, table: Mapping[str, Any]) -> dict[str, str]:
    """Texts by dotted key."""
    texts: dict[str, str] = {}
    for key, value in table.items():
        dotted_key = f"{prefix}.{key}"
        if isinstance(value, Mapping):
            texts |= _flatten(dotted_key, value)
        else:
            texts[dotted_key] = value
    return texts


TRANSLATIONS = {language: load_translations(language) for language in LANGUAGES}
