"""In which language a caller is told what went wrong: Korean to those who prefer it, else English.

English is in the code, beside what raises it; Korean in `problems/ko.toml`, by code.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.domain.jobs import REASON_TEXT
from shared.errors import SeraError

FOLDER = Path(__file__).parent / "problems"


class Language(StrEnum):
    ENGLISH = "en"
    KOREAN = "ko"


SPOKEN: ContextVar[Language] = ContextVar("language", default=Language.ENGLISH)
"""Of the request that is being answered."""


class Listener:
    """Notes in which language the caller wants to be answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            SPOKEN.set(preferred(Headers(scope=scope).get("accept-language", "")))
        await self._app(scope, receive, send)


def preferred(accepted: str) -> Language:
    """Of an Accept-Language header (RFC 9110, 12.5.4); English where it names neither."""
    weights = dict.fromkeys(Language, 0.0)
    for name, weight in _ranges(accepted):
        if name in weights:
            weights[Language(name)] = max(weights[Language(name)], weight)
    korean = weights[Language.KOREAN]
    before = korean == weights[Language.ENGLISH] and accepted.lower().find(
        "ko"
    ) < accepted.lower().find("en")
    return (
        Language.KOREAN
        if korean > weights[Language.ENGLISH] or (korean and before)
        else Language.ENGLISH
    )


def headers(language: Language) -> dict[str, str]:
    """Of an answer that would differ for another Accept-Language."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def sentence(
    code: str, facts: Mapping[str, object], english: str, language: Language | None = None
) -> tuple[str, Language]:
    """The sentence of a problem in this or the caller's language, and which that is; English where it has no other."""
    if (language or SPOKEN.get()) is Language.KOREAN and (
        template := _korean(code, frozenset(facts))
    ):
        return template.format(**facts), Language.KOREAN
    return english, Language.ENGLISH


def told_again(code: str | None, english: str | None) -> str | None:
    """A sentence that was kept in English, in the caller's language where it can be taken apart into its facts."""
    if code is None or english is None or SPOKEN.get() is Language.ENGLISH:
        return english
    for template in _english().get(code, ()):
        if found := re.fullmatch(_pattern(template), english, re.DOTALL):
            facts = {name: _Kept(value) for name, value in found.groupdict().items()}
            return sentence(code, facts, english)[0]
    return english


class _Kept(str):
    """A fact that was written out already, however it is to be written."""

    def __format__(self, how: str) -> str:
        return str(self)


def fields(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)


@cache
def korean() -> Mapping[str, tuple[str, ...]]:
    """The sentences of each code; several where one code has facts of several kinds."""
    told = tomllib.loads((FOLDER / "ko.toml").read_text())
    return {code: (each,) if isinstance(each, str) else tuple(each) for code, each in told.items()}


def _korean(code: str, given: frozenset[str]) -> str | None:
    """The sentence that says most of what is given."""
    fitting = [each for each in korean().get(code, ()) if fields(each) <= given]
    return max(fitting, key=lambda each: len(fields(each)), default=None)


@cache
def _english() -> Mapping[str, tuple[str, ...]]:
    """Every sentence that a job's or a run's failure may be kept as, by its code."""
    elsewhere = tomllib.loads((FOLDER / "en.toml").read_text())
    found = [
        *REASON_TEXT.items(),
        *elsewhere.items(),
        *((each.code, each.text) for each in errors(SeraError)),
    ]
    return {code: tuple(text for other, text in found if other == code) for code, _ in found}


def errors(kind: type[SeraError]) -> Iterator[type[SeraError]]:
    """This one and all that derive from it."""
    yield kind
    for each in kind.__subclasses__():
        yield from errors(each)


def _pattern(template: str) -> str:
    parts, seen = [], set()
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.*?)")
            seen.add(name)
    return "".join(parts)


def _ranges(accepted: str) -> Iterator[tuple[str, float]]:
    """Each language's first part with its weight."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        number = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight)
        if number or not weight:
            yield name.strip().partition("-")[0], float(number[1]) if number else 1.0
