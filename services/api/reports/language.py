"""The words of a report: read from the word files of the pages."""

import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from services.api.reports.sentences import Say

WORDS = Path(__file__).parents[1] / "web" / "words"
FILES = ("result", "report")


class Language(StrEnum):
    """What a report can be printed in."""

    ENGLISH = "en"
    KOREAN = "ko"


def speaker(language: Language) -> Say:
    """Says words by their key; KeyError for one that there is not."""
    words = _words(language)
    return lambda key, **facts: words[key].format(**facts)


@cache
def _words(language: Language) -> Mapping[str, str]:
    read = {name: tomllib.loads((WORDS / language / f"{name}.toml").read_text(encoding="utf-8")) for name in FILES}
    return dict(_flat("", read))


def _flat(before: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, str):
            yield f"{before}{name}", value
        else:
            yield from _flat(f"{before}{name}.", value)
