"""Lets work in a thread end early when nobody wants its result any more.

A thread cannot be stopped from outside. So whoever starts work makes a token, and the work looks at
the token of its context wherever it can end: at each statement of the database.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from shared.errors import SeraError


class Cancelled(SeraError):
    """Nobody receives this error's response."""

    code = "client-gone"
    status = 499
    text = "The client closed the connection before the answer was ready."


class CancellationToken:
    """Tells the threads of one request that the request is cancelled."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_cancelled = False
        self._callbacks: list[Callable[[], object]] = []

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled

    def cancel(self) -> None:
        """Cancel, and interrupt what the work waits for."""
        with self._lock:
            self._is_cancelled = True
            for interrupt in self._callbacks:
                interrupt()

    def check(self) -> None:
        """Raise Cancelled if the work is cancelled."""
        if self._is_cancelled:
            raise Cancelled

    @contextmanager
    def interrupting(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Have a cancellation call `interrupt` meanwhile. It must be quick and must not raise.

        Raises Cancelled if the work is cancelled already.
        """
        with self._lock:
            self.check()
            self._callbacks.append(interrupt)
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(interrupt)


CURRENT_TOKEN: ContextVar[CancellationToken | None] = ContextVar(
    "cancellation_token", default=None
)
"""The token of the work that runs in this context; None for work that nobody cancels."""
