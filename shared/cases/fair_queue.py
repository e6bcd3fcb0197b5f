"""Lets few threads or requests work at a time, in turn between hospitals."""

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Protocol


class QueueBusy(Exception):
    """There is no place: too many wait, or the wait was too long."""


class Turn(Protocol):
    """What wakes the thread or coroutine that waits for a place."""

    def set(self) -> None: ...

    def is_set(self) -> bool: ...


class LoopTurn:
    """Wakes a coroutine from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._is_set = False

    def set(self) -> None:
        self._is_set = True
        self._loop.call_soon_threadsafe(self._event.set)

    def is_set(self) -> bool:
        return self._is_set

    async def wait(self) -> None:
        await self._event.wait()


class FairQueue:
    """Places for threads or coroutines that work for owners, such as hospitals.

    A free place goes to the owner whose turn it is, and then to the one of that owner that has
    waited longest. No owner may hold every place, so slow work of one alone delays no other. Slow
    work of as many owners as there are places delays all.
    """

    def __init__(
        self,
        *,
        places: int,
        max_held: int,
        max_waiting: int,
        max_waiting_in_all: int,
        unlimited: Collection[Hashable] = (),
    ) -> None:
        """`max_held` and `max_waiting` limit the places and the waiting turns of one owner.

        `max_waiting_in_all` limits the waiting turns of all owners. An owner of whom none waits
        may have one more in spite of it, so that two owners cannot shut out a third. The
        `unlimited` owners may have any number of waiting turns, which do not count.
        """
        self._free = places
        self._max_held = max_held
        self._max_waiting = max_waiting
        self._max_waiting_in_all = max_waiting_in_all
        self._unlimited = frozenset(unlimited)
        self._lock = Lock()
        self._places_by_owner: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[Turn]] = {}
        """The owners whose turn is next come first."""

    @contextmanager
    def place(self, owner: Hashable, wait_s: float) -> Iterator[None]:
        """Hold a place meanwhile. Raises QueueBusy."""
        turn = Event()
        self.join(owner, turn)
        if not turn.wait(wait_s) and not self.leave(owner, turn):
            raise QueueBusy
        try:
            yield
        finally:
            self.release(owner)

    def count_waiting(self, owner: Hashable) -> int:
        """Count the turns of an owner that wait for a place."""
        with self._lock:
            return len(self._waiting.get(owner, ()))

    def count_all_waiting(self) -> int:
        """Count the turns of all owners that wait for a place."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def count_held(self) -> int:
        """Count the places that are in use."""
        with self._lock:
            return self._places_by_owner.total()

    def join(self, owner: Hashable, turn: Turn) -> None:
        """Wait for a place. The turn is set once it has one; then `release` must follow.

        Raises QueueBusy if too many wait.
        """
        with self._lock:
            self._check_waiting(owner)
            self._waiting.setdefault(owner, deque()).append(turn)
            self._give_free_places()

    def leave(self, owner: Hashable, turn: Turn) -> bool:
        """Wait no longer. Return whether the turn got a place before."""
        with self._lock:
            if turn.is_set():
                return True
            self._remove(owner, turn)
        return False

    def release(self, owner: Hashable) -> None:
        """Give a place back."""
        with self._lock:
            self._free += 1
            self._places_by_owner[owner] -= 1
            self._places_by_owner = +self._places_by_owner
            self._give_free_places()

    def _check_waiting(self, owner: Hashable) -> None:
        """Raise QueueBusy if too many turns wait."""
        if owner in self._unlimited:
            return
        count = len(self._waiting.get(owner, ()))
        count_in_all = sum(
            len(turns)
            for waiting_owner, turns in self._waiting.items()
            if waiting_owner not in self._unlimited
        )
        if count >= self._max_waiting:
            raise QueueBusy
        if count and count_in_all >= self._max_waiting_in_all:
            raise QueueBusy

    def _give_free_places(self) -> None:
        while self._free:
            turns = self._next_turns()
            if not turns:
                return
            owner, turn = turns[0]
            self._remove(owner, turn)
            self._end_turn(owner)
            self._free -= 1
            self._places_by_owner[owner] += 1
            turn.set()

    def _next_turns(self) -> list[tuple[Hashable, Turn]]:
        """Return the first waiting turn of each owner that may hold another place, in turn."""
        return [
            (owner, turns[0])
            for owner, turns in self._waiting.items()
            if self._places_by_owner[owner] < self._max_held
        ]

    def _remove(self, owner: Hashable, turn: Turn) -> None:
        """Remove a waiting turn. The owner keeps its place in the order."""
        turns = self._waiting[owner]
        turns.remove(turn)
        if not turns:
            del self._waiting[owner]

    def _end_turn(self, owner: Hashable) -> None:
        """Let the owner's other turns wait behind the other owners."""
        if owner in self._waiting:
            self._waiting[owner] = self._waiting.pop(owner)
