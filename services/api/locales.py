"""In which language a caller is told what went wrong: Korean to those who prefer it, else English.

English is in the code: of errors in their classes, of all else in `shared/domain/texts.py`. Korean is in
`problems/ko.toml`, by code.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from enum import StrEnum
from functools import cache, partial
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.domain.messages import Facts, Message, fill, fitting
from shared.domain.texts import TEXTS

FOLDER = Path(__file__).parent / "problems"


class Language(StrEnum):
    ENGLISH = "en"
    KOREAN = "ko"


CURRENT_LANGUAGE: ContextVar[Language] = ContextVar("language", default=Language.ENGLISH)
"""Of the request that is being answered."""


class LocaleMiddleware:
    """Notes in which language the caller wants to be answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            CURRENT_LANGUAGE.set(preferred_language(Headers(scope=scope).get("accept-language", "")))
        await self._app(scope, receive, send)


def preferred_language(accepted: str) -> Language:
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


def language_headers(language: Language) -> dict[str, str]:
    """Of an answer that would differ for another Accept-Language."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def sentence(
    code: str, facts: Facts, english: str, language: Language | None = None
) -> tuple[str, Language]:
    """The sentence of a problem in this or the caller's language, and which that is; English where it has no other."""
    text = (
        _korean(code, facts) if (language or CURRENT_LANGUAGE.get()) is Language.KOREAN else None
    )
    if text is None:
        return english, Language.ENGLISH
    return _fill(text, facts, Language.KOREAN), Language.KOREAN


def text_of_code(code: str, facts: Facts, language: Language | None = None) -> str | None:
    """What is kept as a code and facts, in this or the caller's language; None where it has no text for these facts."""
    wanted = language or CURRENT_LANGUAGE.get()
    text = _korean(code, facts) if wanted is Language.KOREAN else None
    text = text or fitting(TEXTS.get(code, ()), facts)
    return None if text is None else _fill(text, facts, wanted)


def message_text(message: Message, language: Language | None = None) -> str:
    """The same of a message; its code where it has no text."""
    return text_of_code(message.code, message.facts, language) or message.code


def _fill(text: str, facts: Facts, language: Language) -> str:
    return fill(text, facts, partial(message_text, language=language))


@cache
def korean_texts() -> Mapping[str, tuple[str, ...]]:
    """The sentences of each code; several where one code has facts of several kinds."""
    texts = tomllib.loads((FOLDER / "ko.toml").read_text())
    return {
        code: (text,) if isinstance(text, str) else tuple(text)
        for code, text in texts.items()
    }


def _korean(code: str, facts: Facts) -> str | None:
    return fitting(korean_texts().get(code, ()), facts)


def _ranges(accepted: str) -> Iterator[tuple[str, float]]:
    """Each language's first part with its weight."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        number = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight)
        if number or not weight:
            yield name.strip().partition("-")[0], float(number[1]) if number else 1.0
