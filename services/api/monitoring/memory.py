"""Answers of the last moments, so that a wall of dashboards costs one reading."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")


class _Slot:
    """`value` has the type of what was made under the slot's key."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made_at = float("-inf")
        self.value: Any = None


class Memory:
    """Keeps what was made under a key for a while; who asks meanwhile waits for the one who makes it."""

    def __init__(self, most: int = 256) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def recall(self, key: Hashable, fresh_s: float, make: Callable[[], Value]) -> Value:
        """What `make` made at most `fresh_s` ago, or makes now. A key has values of one type."""
        slot = self._slot(key)
        with slot.lock:
            if time.monotonic() - slot.made_at > fresh_s:
                slot.value = make()
                slot.made_at = time.monotonic()
            value: Value = slot.value
            return value

    def _slot(self, key: Hashable) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            if len(self._slots) > self._most:
                self._slots.popitem(last=False)
            return slot
