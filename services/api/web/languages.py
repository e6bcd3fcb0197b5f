"""The words of the pages, in each language: `words/LANGUAGE/NAME.toml`, whose keys become `NAME.some.key`."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from services.api.locales import Language

FOLDER = Path(__file__).parent / "words"
LANGUAGES = {Language.ENGLISH: "English", Language.KOREAN: "한국어"}
"""By their codes, each in its own name."""


class Translations:
    """One language's; called with a key and its fields it says the sentence, as markup where a field is such.

    An unknown key raises KeyError.
    """

    def __init__(self, language: Language, said: Mapping[str, str]) -> None:
        self.language = language
        self._said = said

    def __call__(self, key: str, **fields: object) -> str:
        said = self._said[key]
        if any(isinstance(field, Markup) for field in fields.values()):
            said = escape(said)
        return said.format(**fields) if fields else said

    def __contains__(self, key: object) -> bool:
        return key in self._said

    def keys(self) -> Sequence[str]:
        return sorted(self._said)

    def in_files(self, names: Sequence[str]) -> dict[str, str]:
        """Those of these files, for a page's script."""
        return {
            key: said
            for key, said in self._said.items()
            if key.partition(".")[0] in names
        }


def load_translations(language: Language, folder: Path = FOLDER) -> Translations:
    said: dict[str, str] = {}
    for file in sorted((folder / language).glob("*.toml")):
        said |= _flat(file.stem, tomllib.loads(file.read_text(encoding="utf-8")))
    return Translations(language, said)


def _flat(prefix: str, told: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in told.items():
        flat |= (
            _flat(f"{prefix}.{key}", value)
            if isinstance(value, Mapping)
            else {f"{prefix}.{key}": value}
        )
    return flat


TRANSLATIONS = {language: load_translations(language) for language in LANGUAGES}
