"""Lets few threads work at a time, in turn between hospitals."""

from collections import Counter, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Event, Lock


class QueueBusy(Exception):
    """There is no place for this thread: too many wait, or it has waited too long."""


class FairQueue:
    """Places for threads that work for owners, such as hospitals.

    A free place goes to the owner whose turn it is, and then to the thread of that owner that has
    waited longest. No owner may hold every place: so slow work of one delays no other.
    """

    def __init__(self, places: int, max_held: int, max_waiting: int) -> None:
        """`max_held` and `max_waiting` limit the places and the waiting threads of one owner."""
        self._free = places
        self._max_held = max_held
        self._max_waiting = max_waiting
        self._lock = Lock()
        self._held: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[Event]] = {}
        """The owners whose turn is next come first."""

    @contextmanager
    def place(self, owner: Hashable, wait_s: float) -> Iterator[None]:
        """Hold a place meanwhile. Raises QueueBusy."""
        self._acquire(owner, wait_s)
        try:
            yield
        finally:
            self._release(owner)

    def count_waiting(self, owner: Hashable) -> int:
        """Count the threads of an owner that wait for a place."""
        with self._lock:
            return len(self._waiting.get(owner, ()))

    def _acquire(self, owner: Hashable, wait_s: float) -> None:
        turn = Event()
        with self._lock:
            threads = self._waiting.setdefault(owner, deque())
            if len(threads) >= self._max_waiting:
                raise QueueBusy
            threads.append(turn)
            self._give_free_places()
        if turn.wait(wait_s):
            return
        with self._lock:
            if turn.is_set():
                return
            self._leave(owner, turn)
        raise QueueBusy

    def _release(self, owner: Hashable) -> None:
        with self._lock:
            self._free += 1
            self._held[owner] -= 1
            self._held = +self._held
            self._give_free_places()

    def _give_free_places(self) -> None:
        while self._free:
            turns = self._next_turns()
            if not turns:
                return
            owner, turn = turns[0]
            self._leave(owner, turn)
            self._free -= 1
            self._held[owner] += 1
            turn.set()

    def _next_turns(self) -> list[tuple[Hashable, Event]]:
        """Return the first waiting thread of each owner that may hold another place, in turn."""
        return [
            (owner, threads[0])
            for owner, threads in self._waiting.items()
            if self._held[owner] < self._max_held
        ]

    def _leave(self, owner: Hashable, turn: Event) -> None:
        """Remove a waiting thread. The owner's other threads wait behind the other owners."""
        threads = self._waiting.pop(owner)
        threads.remove(turn)
        if threads:
            self._waiting[owner] = threads
