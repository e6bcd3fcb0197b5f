"""The words of the pages, in each language: `words/LANGUAGE/NAME.toml`, whose keys become `NAME.some.key`."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "words"
LANGUAGES = {"en": "English", "ko": "한국어"}
"""By their codes, each in its own name; the first is spoken where a browser asks for neither."""
FIRST = next(iter(LANGUAGES))


class Words:
    """One language's; called with a key and its fields it says the sentence. An unknown key raises KeyError."""

    def __init__(self, language: str, said: Mapping[str, str]) -> None:
        self.language, self._said = language, said

    def __call__(self, key: str, **fields: object) -> str:
        said = self._said[key]
        return said.format(**fields) if fields else said

    def __contains__(self, key: object) -> bool:
        return key in self._said

    def keys(self) -> Sequence[str]:
        return sorted(self._said)

    def under(self, names: Sequence[str]) -> dict[str, str]:
        """Those of these files, for a page's script."""
        return {key: said for key, said in self._said.items() if key.partition(".")[0] in names}


def read_words(language: str, folder: Path = FOLDER) -> Words:
    said: dict[str, str] = {}
    for file in sorted((folder / language).glob("*.toml")):
        said |= _flat(file.stem, tomllib.loads(file.read_text(encoding="utf-8")))
    return Words(language, said)


def preferred(accepted: str) -> str:
    """Which of ours an Accept-Language header likes best (RFC 9110, 12.5.4)."""
    liked = sorted(_liked(accepted), key=lambda each: -each[1])
    return next((name for name, quality in liked if quality > 0 and name in LANGUAGES), FIRST)


def _liked(accepted: str) -> Iterator[tuple[str, float]]:
    for part in accepted.split(","):
        name, _, quality = part.partition(";q=")
        try:
            yield name.strip().partition("-")[0].lower(), float(quality or 1)
        except ValueError:
            continue


def _flat(prefix: str, told: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in told.items():
        flat |= _flat(f"{prefix}.{key}", value) if isinstance(value, Mapping) else {f"{prefix}.{key}": value}
    return flat


SPOKEN = {language: read_words(language) for language in LANGUAGES}
