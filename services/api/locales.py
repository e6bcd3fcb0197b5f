"""Words errors and messages in the caller's language: Korean if the caller prefers it, else
English.

English texts of errors are in the error classes. All other English texts are in
`shared/domain/texts.py`. Korean texts are in `problems/ko.toml`, keyed by code.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.domain.messages import Facts, Message, format_text, select_text
from shared.domain.texts import TEXTS

FOLDER = Path(__file__).parent / "problems"


class Language(StrEnum):
    ENGLISH = "en"
    KOREAN = "ko"


CURRENT_LANGUAGE: ContextVar[Language] = ContextVar(
    "language", default=Language.ENGLISH
)
"""The language of the current request."""


class LocalizedText(NamedTuple):
    text: str
    language: Language


class LocaleMiddleware:
    """Sets the language of the response from the request's Accept-Language header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            accepted = Headers(scope=scope).get("accept-language", "")
            CURRENT_LANGUAGE.set(preferred_language(accepted))
        await self._app(scope, receive, send)


def preferred_language(accepted: str) -> Language:
    """Return the language that an Accept-Language header prefers (RFC 9110, 12.5.4).

    If two languages have equal weights, the first one wins. English is used if the header contains
    neither Korean nor English.
    """
    weights = dict.fromkeys(Language, 0.0)
    for name, weight in _language_ranges(accepted):
        if name in weights:
            language = Language(name)
            weights[language] = max(weights[language], weight)
    korean = weights[Language.KOREAN]
    english = weights[Language.ENGLISH]
    if korean > english:
        return Language.KOREAN
    names = accepted.lower()
    if korean and korean == english and names.find("ko") < names.find("en"):
        return Language.KOREAN
    return Language.ENGLISH


def language_headers(language: Language) -> dict[str, str]:
    """Return the headers of a response that depends on Accept-Language."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def sentence(
    code: str, facts: Facts, english: str, language: Language | None = None
) -> LocalizedText:
    """Return the sentence of a problem in `language`, by default the caller's language.

    Returns the English sentence if there is no translation for these facts.
    """
    language = language or CURRENT_LANGUAGE.get()
    text = _korean_text(code, facts) if language is Language.KOREAN else None
    if text is None:
        return LocalizedText(english, Language.ENGLISH)
    return LocalizedText(_fill(text, facts, Language.KOREAN), Language.KOREAN)


def text_of_code(
    code: str, facts: Facts, language: Language | None = None
) -> str | None:
    """Return the text of a stored code and its facts in `language`, by default the caller's
    language.

    Returns None if the code has no text for these facts.
    """
    language = language or CURRENT_LANGUAGE.get()
    text = _korean_text(code, facts) if language is Language.KOREAN else None
    text = text or select_text(TEXTS.get(code, ()), facts)
    return None if text is None else _fill(text, facts, language)


def message_text(message: Message, language: Language | None = None) -> str:
    """Return the text of a message in `language`, by default the caller's language. Returns the
    code of a message without a text.
    """
    return text_of_code(message.code, message.facts, language) or message.code


def _fill(text: str, facts: Facts, language: Language) -> str:
    return format_text(text, facts, partial(message_text, language=language))


@cache
def korean_texts() -> Mapping[str, tuple[str, ...]]:
    """Return the Korean sentences of each code. A code whose facts vary has several sentences."""
    texts = tomllib.loads((FOLDER / "ko.toml").read_text())
    return {
        code: (text,) if isinstance(text, str) else tuple(text)
        for code, text in texts.items()
    }


def _korean_text(code: str, facts: Facts) -> str | None:
    return select_text(korean_texts().get(code, ()), facts)


def _language_ranges(accepted: str) -> Iterator[tuple[str, float]]:
    """Yield the primary subtag of each language range, with its weight."""
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        primary = name.strip().partition("-")[0]
        quality = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameter)
        if quality:
            yield primary, float(quality[1])
        elif not parameter:
            yield primary, 1.0
