"""Wakes requests that wait for a job, a training run or the outlines of a preview. The process uses
one Postgres LISTEN connection for all of them.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg2
from sqlalchemy.engine import make_url

from shared.ledger.deadlines import BoundedConnection, bounded_waits
from shared.ledger.jobs.repository import CHANNEL
from shared.ledger.ledger import CONNECT_ARGS
from shared.observability.logs import log

RECONNECT_S = 1.0
LISTEN_S = 3.0
"""How long the database may take to begin to notify."""
REREAD_S = 2.0
"""A waiting request reads the job again after this time even without a notification. So a lost
connection only causes a delay.
"""


@dataclass(frozen=True)
class Change:
    """A change that may come, or has come since it is watched for."""

    event: asyncio.Event

    async def wait(self, within_s: float) -> None:
        """Return when it has come, but at the latest after `within_s` and after REREAD_S."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.event.wait(), min(within_s, REREAD_S))


class JobChangeListener:
    def __init__(self, database_url: str) -> None:
        url = make_url(database_url).set(drivername="postgresql")
        self._dsn = url.render_as_string(hide_password=False)
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def wait_for_change(self, subject: UUID, within_s: float) -> None:
        """Return when the job or run has changed, but at the latest after `within_s` and after
        REREAD_S.
        """
        with self.watch(subject) as change:
            await change.wait(within_s)

    @contextmanager
    def watch(self, subject: UUID) -> Iterator[Change]:
        """Note from now on whether a job, run or preview changes."""
        event = asyncio.Event()
        waiters = self._waiting[str(subject)]
        waiters.add(event)
        try:
            yield Change(event)
        finally:
            waiters.discard(event)
            if not waiters:
                self._waiting.pop(str(subject), None)

    async def _listen(self) -> None:
        while True:
            try:
                connection = await asyncio.to_thread(self._connect)
            except psycopg2.Error as error:
                log().warning("watch.unreachable", error=type(error).__name__)
            else:
                await self._relay(connection)
            await asyncio.sleep(RECONNECT_S)

    def _connect(self) -> psycopg2.extensions.connection:
        options = CONNECT_ARGS | bounded_waits(self._dsn, LISTEN_S)
        connection: BoundedConnection = psycopg2.connect(self._dsn, **options)
        connection.autocommit = True
        connection.cursor().execute(f"LISTEN {CHANNEL}")
        return connection

    async def _relay(self, connection: psycopg2.extensions.connection) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        descriptor = connection.fileno()
        loop.add_reader(descriptor, readable.set)
        self._wake_all()  # notifications without a listener are lost
        try:
            while True:
                await readable.wait()
                readable.clear()
                connection.poll()
                self._wake(connection)
        except psycopg2.Error as error:
            log().warning("watch.lost", error=type(error).__name__)
        finally:
            loop.remove_reader(descriptor)
            connection.close()

    def _wake_all(self) -> None:
        for waiters in self._waiting.values():
            for event in waiters:
                event.set()

    def _wake(self, connection: psycopg2.extensions.connection) -> None:
        while connection.notifies:
            notification = connection.notifies.pop()
            for event in self._waiting.get(notification.payload, ()):
                event.set()
