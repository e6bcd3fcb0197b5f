"""Messages stored as a code and facts, and put into the user's language when they are shown."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from string import Formatter
from typing import Any, TypeGuard

from shared.domain.json_values import JsonValue
from shared.domain.texts import TEXTS

Facts = Mapping[str, object]
"""The values for the placeholders of a text, by name, without data of a patient. A fact may be a
message, or a list of messages.
"""


@dataclass(frozen=True)
class Message:
    code: str
    facts: Facts = field(default_factory=dict)

    def __str__(self) -> str:
        """The English sentence; the code itself if `TEXTS` has no text for these facts."""
        text = select_text(TEXTS.get(self.code, ()), self.facts)
        return self.code if text is None else format_text(text, self.facts, str)

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "facts": to_json(self.facts)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Message":
        return cls(code=values["code"], facts=values["facts"])


def to_json(facts: Facts) -> dict[str, Any]:
    """Convert the facts to JSON that PostgreSQL accepts: no NaN or infinity, no NUL, no lone
    surrogate.
    """
    return {name: _fact_to_json(fact) for name, fact in facts.items()}


def fact_names(text: str) -> frozenset[str]:
    """Return the names of the facts that a text needs."""
    names = set()
    for _, name, _, _ in Formatter().parse(text):
        if name is not None:
            names.add(name)
    return frozenset(names)


def select_text(texts: Sequence[str], facts: Facts) -> str | None:
    """Select the text of one code that uses the most facts.

    None if every text needs a fact that is missing.
    """
    possible_texts = [text for text in texts if fact_names(text) <= facts.keys()]
    return max(possible_texts, key=lambda text: len(fact_names(text)), default=None)


def format_text(text: str, facts: Facts, word_message: Callable[[Message], str]) -> str:
    """Insert the facts into a text.

    `word_message` makes a sentence of a fact that is a message, as an object or as stored JSON.
    """
    worded_facts = {
        name: _word_fact(fact, word_message) for name, fact in facts.items()
    }
    return text.format(**worded_facts)


class _TextFact(str):
    """A text fact whose placeholder may have a number format.

    JSON has no number such as `nan`, so it is stored as text. A format that does not fit leaves the
    text unchanged.
    """

    def __format__(self, format_spec: str) -> str:
        try:
            return super().__format__(format_spec)
        except ValueError:
            return str(self)


def _word_fact(fact: object, word_message: Callable[[Message], str]) -> object:
    if isinstance(fact, Message):
        return word_message(fact)
    if _is_stored_message(fact):
        return word_message(Message.from_json(fact))
    if isinstance(fact, list | tuple) and all(map(_is_message, fact)):
        return " ".join(str(_word_fact(message, word_message)) for message in fact)
    return _TextFact(fact) if isinstance(fact, str) else fact


def _is_message(fact: object) -> bool:
    return isinstance(fact, Message) or _is_stored_message(fact)


def _is_stored_message(fact: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(fact, Mapping) and fact.keys() == {"code", "facts"}


def _fact_to_json(fact: object) -> JsonValue:
    if fact is None or isinstance(fact, bool):
        return fact
    if isinstance(fact, Integral):
        return int(fact)
    if isinstance(fact, Real):
        number = float(fact)
        return number if math.isfinite(number) else str(number)
    if isinstance(fact, Message):
        return fact.to_json()
    if isinstance(fact, Mapping):
        return {
            _storable(str(name)): _fact_to_json(value) for name, value in fact.items()
        }
    if isinstance(fact, list | tuple | set | frozenset):
        return [_fact_to_json(item) for item in fact]
    return _storable(str(fact))


def _storable(text: str) -> str:
    """The text without lone surrogates and NUL, which PostgreSQL's JSON cannot store."""
    encodable = text.encode("utf-8", "replace").decode()
    return encodable.replace("\0", "\N{REPLACEMENT CHARACTER}")
