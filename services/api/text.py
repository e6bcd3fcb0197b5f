"""Types for text that clients send. Control characters are refused, because PostgreSQL or a
terminal may not accept them.
"""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

CONTROL_CATEGORIES = {"Cc", "Cs"}
"""Unicode categories: control characters and halves of surrogate pairs."""


def _plain(text: str) -> str:
    categories = {unicodedata.category(character) for character in text}
    if categories & CONTROL_CATEGORIES:
        raise ValueError("it holds control characters")
    return text.strip()


def _blank_to_none(text: object) -> object:
    if isinstance(text, str) and not text.strip():
        return None
    return text


PlainText = Annotated[str, StringConstraints(max_length=200), AfterValidator(_plain)]
MAX_BATCH_LABEL_LENGTH = 64
OptionalText = Annotated[PlainText | None, BeforeValidator(_blank_to_none)]
BatchLabel = Annotated[
    Annotated[PlainText, StringConstraints(max_length=MAX_BATCH_LABEL_LENGTH)] | None,
    BeforeValidator(_blank_to_none),
]
