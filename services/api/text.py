"""Words that people send: without control characters, which PostgreSQL and terminals may trip over."""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints

CONTROL = {"Cc", "Cs"}
"""Unicode categories: control characters and halves of surrogate pairs."""


def _plain(text: str) -> str:
    if CONTROL & {unicodedata.category(letter) for letter in text}:
        raise ValueError("it holds control characters")
    return text.strip()


def _or_none(text: Any) -> Any:
    return None if isinstance(text, str) and not text.strip() else text


PlainText = Annotated[str, StringConstraints(max_length=200), AfterValidator(_plain)]
BATCH_LETTERS = 64
OptionalText = Annotated[PlainText | None, BeforeValidator(_or_none)]
BatchLabel = Annotated[
    Annotated[PlainText, StringConstraints(max_length=BATCH_LETTERS)] | None,
    BeforeValidator(_or_none),
]
