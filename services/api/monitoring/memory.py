"""Answers of the last moments, so that a wall of dashboards costs one reading."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class _Slot:
    def __init__(self) -> None:
        self.lock, self.made_at, self.value = threading.Lock(), float("-inf"), None


class Memory:
    """Keeps what was made under a key for a while; who asks meanwhile waits for the one who makes it."""

    def __init__(self, most: int = 256) -> None:
        self._lock, self._most = threading.Lock(), most
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def recall(self, key: Hashable, fresh_s: float, make: Callable[[], Any]) -> Any:
        """What `make` made at most `fresh_s` ago, or makes now."""
        slot = self._slot(key)
        with slot.lock:
            if time.monotonic() - slot.made_at > fresh_s:
                slot.value, slot.made_at = make(), time.monotonic()
            return slot.value

    def _slot(self, key: Hashable) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            if len(self._slots) > self._most:
                self._slots.popitem(last=False)
            return slot
