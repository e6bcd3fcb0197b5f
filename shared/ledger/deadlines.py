"""Connections to PostgreSQL on which no wait is endless.

`statement_timeout` ends a statement that takes too long, but only a server that runs can do so. A
server that is stopped, or whose machine hangs, acknowledges what it is sent and never responds, and
libpq then waits for ever. So each statement, commit and rollback also has a deadline in this
process: when it passes, or when the work is cancelled (`shared/cancellation.py`), the connection's
socket is shut down. The driver then reports a lost connection.
"""

import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread
from typing import Any

import psycopg2.extensions
from psycopg2.sql import Composable
from sqlalchemy.engine import ExceptionContext, make_url

from shared.cancellation import CURRENT_TOKEN

CHECK_EVERY_S = 0.25
GRACE_S = 3.0
"""How much longer than the server's `statement_timeout` this process waits for a response."""
FIRST_STATEMENT_S = 5.0
"""A transaction's first statement takes a role or reads a key, and waits for no lock. So it shows
soon whether the server responds."""
CLIENT_CHECK_MS = 2000
"""How often the server looks, during a statement, whether its client is still there."""

Query = str | bytes | Composable
Parameters = Sequence[Any] | Mapping[str, Any] | None
"""The types of psycopg2 for a statement and its bound values."""


@dataclass(eq=False)
class Wait:
    """A thread that waits for the server until `deadline`, by the monotonic clock.

    `descriptor` is that of the connection's socket.
    """

    descriptor: int
    deadline: float
    is_over: bool = False


class Watchdog:
    """Shuts down the sockets of waits that are over. One thread serves the whole process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waits: set[Wait] = set()
        self._thread: Thread | None = None
        os.register_at_fork(after_in_child=self._forget)

    @contextmanager
    def wait(self, descriptor: int, limit_s: float) -> Iterator[Wait]:
        """Shut the socket down if the block takes longer than `limit_s` seconds."""
        wait = Wait(descriptor, deadline=time.monotonic() + limit_s)
        with self._lock:
            self._waits.add(wait)
            if self._thread is None:
                self._thread = Thread(
                    target=self._watch, name="database-deadlines", daemon=True
                )
                self._thread.start()
        try:
            yield wait
        finally:
            with self._lock:
                self._waits.discard(wait)

    def end(self, wait: Wait) -> None:
        """Shut the socket down now, unless the block has ended."""
        with self._lock:
            if wait in self._waits:
                _shut_down(wait)

    def _watch(self) -> None:
        while True:
            time.sleep(CHECK_EVERY_S)
            now = time.monotonic()
            with self._lock:
                for wait in self._waits:
                    if wait.deadline < now and not wait.is_over:
                        _shut_down(wait)

    def _forget(self) -> None:
        """A forked process has no copy of the thread, and its own waits only."""
        self._lock = Lock()
        self._waits = set()
        self._thread = None


def _shut_down(wait: Wait) -> None:
    wait.is_over = True
    with suppress(OSError), socket.socket(fileno=os.dup(wait.descriptor)) as line:
        line.shutdown(socket.SHUT_RDWR)


WATCHDOG = Watchdog()


class ConnectionAbandoned(psycopg2.InterfaceError):
    """The connection was shut down on purpose. The server and other connections are well."""


class BoundedConnection(psycopg2.extensions.connection):
    """A connection each of whose waits has a deadline.

    `limit_s` is that of a statement or commit, in seconds.
    """

    limit_s: float
    is_abandoned = False

    def commit(self) -> None:
        with WATCHDOG.wait(self.fileno(), self.limit_s):
            super().commit()

    def rollback(self) -> None:
        if self.is_abandoned:
            raise ConnectionAbandoned
        with WATCHDOG.wait(self.fileno(), self.limit_s):
            super().rollback()

    @contextmanager
    def statement(self) -> Iterator[None]:
        """Bound a statement, and end it if the work of this context is cancelled.

        Raises Cancelled.
        """
        limit_s = self.limit_s
        if self.status == psycopg2.extensions.STATUS_READY:
            limit_s = min(limit_s, FIRST_STATEMENT_S)
        token = CURRENT_TOKEN.get()
        with WATCHDOG.wait(self.fileno(), limit_s) as wait:
            if token is None:
                yield
                return
            with token.interrupting(partial(WATCHDOG.end, wait)):
                try:
                    yield
                except psycopg2.Error:
                    self.is_abandoned = token.is_cancelled
                    token.check()
                    raise


class BoundedCursor(psycopg2.extensions.cursor):
    """A cursor of a BoundedConnection."""

    connection: BoundedConnection

    def execute(self, query: Query, vars: Parameters = None) -> None:
        with self.connection.statement():
            super().execute(query, vars)

    def executemany(self, query: Query, vars_list: Iterable[Parameters]) -> None:
        with self.connection.statement():
            super().executemany(query, vars_list)


def bounded_waits(url: str, statement_timeout_s: float) -> dict[str, Any]:
    """Options of `psycopg2.connect` for a connection whose waits have deadlines.

    The server ends statements that take longer than `statement_timeout_s` seconds.
    """
    limits = (
        f"-c statement_timeout={round(statement_timeout_s * 1000)} "
        f"-c client_connection_check_interval={CLIENT_CHECK_MS}"
    )
    options_of_url = make_url(url).query.get("options", "")
    return {
        "connection_factory": partial(_connect, statement_timeout_s + GRACE_S),
        "cursor_factory": BoundedCursor,
        "options": f"{options_of_url} {limits}".strip(),
    }


def _connect(limit_s: float, dsn: str, **options: int) -> BoundedConnection:
    """psycopg2 calls this with the name of its option `async`, a keyword of Python."""
    connection = BoundedConnection(dsn, **options)
    connection.limit_s = limit_s
    return connection


def keep_pool_of_abandoned(context: ExceptionContext) -> None:
    """A listener to errors. SQLAlchemy replaces all connections of a pool if one is lost."""
    if isinstance(context.original_exception, ConnectionAbandoned):
        context.invalidate_pool_on_disconnect = False
