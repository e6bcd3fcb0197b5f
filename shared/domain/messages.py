"""What is to be said, as a code and facts: it becomes a sentence where it is shown, in the reader's language."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from string import Formatter
from typing import Any

from shared.domain.texts import TEXTS

Facts = Mapping[str, object]
"""Numbers and names by the fields of the text; nothing of a patient. A fact may be a message, or a list of them."""


@dataclass(frozen=True)
class Message:
    code: str
    facts: Facts = field(default_factory=dict)

    def __str__(self) -> str:
        """In English; the code itself where `TEXTS` has no text for these facts."""
        text = select_text(TEXTS.get(self.code, ()), self.facts)
        return self.code if text is None else format_text(text, self.facts, str)

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "facts": to_json(self.facts)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Message":
        return cls(stored["code"], stored["facts"])


def to_json(facts: Facts) -> dict[str, Any]:
    """The facts as JSON that PostgreSQL takes: no NaN or infinity, no NUL, no lone surrogate."""
    return {name: _json(fact) for name, fact in facts.items()}


def fact_names(text: str) -> frozenset[str]:
    """The names of the facts that a text wants."""
    return frozenset(
        name for _, name, _, _ in Formatter().parse(text) if name is not None
    )


def select_text(texts: Sequence[str], facts: Facts) -> str | None:
    """Of the texts of one code the one that says most of the facts; None where each wants others."""
    possible = [text for text in texts if fact_names(text) <= facts.keys()]
    return max(possible, key=lambda text: len(fact_names(text)), default=None)


def format_text(text: str, facts: Facts, word_message: Callable[[Message], str]) -> str:
    """The sentence. `word` makes sentences of facts that are messages, stored or not."""
    return text.format(**{name: _in_words(fact, word_message) for name, fact in facts.items()})


class _Text(str):
    """A fact that may stand for a number that JSON has not, such as `nan`: a number's format leaves it as it is."""

    def __format__(self, how: str) -> str:
        try:
            return super().__format__(how)
        except ValueError:
            return str(self)


def _in_words(fact: object, word: Callable[[Message], str]) -> object:
    if isinstance(fact, Message):
        return word(fact)
    if isinstance(fact, Mapping) and fact.keys() == {"code", "facts"}:
        return word(Message.from_json(fact))
    if isinstance(fact, list | tuple) and _are_messages(fact):
        return " ".join(str(_in_words(one, word)) for one in fact)
    return _Text(fact) if isinstance(fact, str) else fact


def _are_messages(facts: Sequence[object]) -> bool:
    return all(
        isinstance(fact, Message)
        or (isinstance(fact, Mapping) and fact.keys() == {"code", "facts"})
        for fact in facts
    )


def _json(fact: object) -> Any:
    if fact is None or isinstance(fact, bool):
        return fact
    if isinstance(fact, Integral):
        return int(fact)
    if isinstance(fact, Real):
        return float(fact) if math.isfinite(fact) else str(float(fact))
    if isinstance(fact, Message):
        return fact.to_json()
    if isinstance(fact, Mapping):
        return {_plain(str(name)): _json(value) for name, value in fact.items()}
    if isinstance(fact, list | tuple | set | frozenset):
        return [_json(one) for one in fact]
    return _plain(str(fact))


def _plain(text: str) -> str:
    return (
        text.encode("utf-8", "replace")
        .decode()
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
