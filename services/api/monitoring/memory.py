"""Caches computed values for a short time, so that many dashboards cause only one query."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from operator import attrgetter
from threading import Condition
from typing import Any, TypeVar

from cachetools import TLRUCache, cachedmethod

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Entry:
    """A cached value and its maximum age in seconds. All values of one key have the same type."""

    value: Any
    max_age_s: float


class AnswerCache:
    """Caches values by key. While a value is being computed, other callers of the same key wait for
    it.

    An error is not cached: the next caller tries again.
    """

    def __init__(self, max_entries: int = 256) -> None:
        self._entries: TLRUCache[Hashable, _Entry] = TLRUCache(
            max_entries, ttu=lambda key, entry, now: now + entry.max_age_s
        )
        self._condition = Condition()

    def get_or_make(
        self, key: Hashable, max_age_s: float, make: Callable[[], Value]
    ) -> Value:
        """Return the cached value if it is at most `max_age_s` old, else the new value of
        `make`.
        """
        value: Value = self._entry(key, max_age_s, make).value
        return value

    @cachedmethod(
        attrgetter("_entries"),
        key=lambda self, key, max_age_s, make: key,
        condition=attrgetter("_condition"),
    )
    def _entry(
        self, key: Hashable, max_age_s: float, make: Callable[[], Any]
    ) -> _Entry:
        return _Entry(make(), max_age_s)
