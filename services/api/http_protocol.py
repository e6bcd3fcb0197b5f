"""uvicorn's HTTP protocol, with limits for connections whose next request is not complete.

uvicorn waits for ever for the first bytes of a connection and for the rest of a request's headers.
Every connection takes a file descriptor, so clients that only connect would shut out all others.
"""

import asyncio
from typing import ClassVar
from weakref import WeakKeyDictionary

from prometheus_client import Counter
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from shared.observability.metrics import REGISTRY

HEADERS_S = 20.0
"""How long the headers of a request may take, from the connection or from their first byte."""
MAX_UNFINISHED = 256
"""Connections of a gateway without complete headers. The oldest are closed for one more, if they
have had `GRACE_S`."""
GRACE_S = 5.0
"""How long a connection is not closed for another one. After a stall, many connections are accepted
at once, and their headers are there but not read yet."""

CUT = Counter(
    "sera_http_connections_cut_total",
    "Connections closed before their request's headers were complete: slow or too many.",
    ["reason"],
    registry=REGISTRY,
)


class HeaderLimitProtocol(H11Protocol):
    """Closes connections whose headers arrive too slowly, and the oldest of too many."""

    headers_s: ClassVar[float] = HEADERS_S
    max_unfinished: ClassVar[int] = MAX_UNFINISHED
    grace_s: ClassVar[float] = GRACE_S
    _unfinished_by_server: ClassVar[
        WeakKeyDictionary[ServerState, dict["HeaderLimitProtocol", asyncio.TimerHandle]]
    ] = WeakKeyDictionary()

    @property
    def _unfinished(self) -> dict["HeaderLimitProtocol", asyncio.TimerHandle]:
        """The server's connections without complete headers, the oldest first."""
        return self._unfinished_by_server.setdefault(self.server_state, {})

    def connection_made(  # type: ignore[override]  # uvicorn's own
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._end_wait()
        elif self not in self._unfinished and not self.transport.is_closing():
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        unfinished = self._unfinished
        latest_end = self.loop.time() + self.headers_s - self.grace_s
        while len(unfinished) >= self.max_unfinished:
            oldest, timer = next(iter(unfinished.items()))
            if timer.when() > latest_end:
                break
            oldest._cut("too-many")
        unfinished[self] = self.loop.call_later(self.headers_s, self._cut, "slow")

    def _end_wait(self) -> None:
        timer = self._unfinished.pop(self, None)
        if timer is not None:
            timer.cancel()

    def _cut(self, reason: str) -> None:
        self._end_wait()
        CUT.labels(reason).inc()
        self.transport.close()
