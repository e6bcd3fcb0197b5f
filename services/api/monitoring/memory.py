"""Caches answers for a short time, so that many dashboards cost one query."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from operator import attrgetter
from threading import Condition
from typing import Any, TypeVar

from cachetools import TLRUCache, cachedmethod

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Entry:
    """A value with the seconds for which it is fresh. A key has values of one type."""

    value: Any
    fresh_s: float


class AnswerCache:
    """Caches a value under a key. Callers that ask while it is computed wait for it.

    An error is not cached: the next caller tries again.
    """

    def __init__(self, max_entries: int = 256) -> None:
        self._entries: TLRUCache[Hashable, _Entry] = TLRUCache(
            max_entries, ttu=lambda key, entry, now: now + entry.fresh_s
        )
        self._condition = Condition()

    def get_or_make(
        self, key: Hashable, fresh_s: float, make: Callable[[], Value]
    ) -> Value:
        """The value that `make` returned at most `fresh_s` ago, or returns now."""
        value: Value = self._entry(key, fresh_s, make).value
        return value

    @cachedmethod(
        attrgetter("_entries"),
        key=lambda self, key, fresh_s, make: key,
        condition=attrgetter("_condition"),
    )
    def _entry(self, key: Hashable, fresh_s: float, make: Callable[[], Any]) -> _Entry:
        return _Entry(make(), fresh_s)
