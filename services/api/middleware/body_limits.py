"""Refuses request bodies that are too large or that arrive too slowly."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn, Self

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.errors import error_response
from services.api.monitoring.prometheus.traffic import route_of
from shared.errors import SeraError, TooLarge
from shared.observability.logs import log
from shared.settings import Settings

LINGER_S = 10.0
FORM_ALLOWANCE = 256 * 1024
"""Bytes that a form may have in addition to its image: other fields and boundaries."""


class BatchTooLarge(TooLarge):
    text = (
        "The batch is larger than {limit_mib} MiB. Send smaller batches: what one brings in "
        "stays, whatever follows."
    )


TOO_LARGE_BY_PATH_END = {"/batches": BatchTooLarge}
"""Errors for routes whose body is more than one image, by the last part of their path."""


class TooSlow(SeraError):
    code = "too-slow"
    status = 408
    retryable = True
    text = (
        "The body came at less than {least_bytes_per_s} bytes a second, or stopped for {stall_s:g} "
        "s. Nothing was "
        "taken; send the request again over a better connection."
    )


@dataclass(frozen=True)
class BodyLimits:
    """The largest body, and the slowest rate at which a body may arrive."""

    max_bytes: int
    stall_s: float
    min_bytes_per_s: int

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(
            max_bytes=settings.max_upload_bytes + FORM_ALLOWANCE,
            stall_s=settings.body_stall_s,
            min_bytes_per_s=settings.least_body_bytes_per_s,
        )


class _Cut(Exception):
    """The body exceeded a limit. This exception stops the app. The response of the stopped app is
    ignored.
    """


class BodyLimitMiddleware:
    """Refuses a body that is too large (status 413) or too slow (status 408), even if
    Content-Length is wrong.
    """

    def __init__(self, app: ASGIApp, limits: BodyLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        body = _Body(self._limits, scope, receive, send)
        with suppress(_Cut):
            body.check_declared_bytes()
            await self._app(scope, body.receive, body.send)
        if body.fault is not None and not body.is_answered:
            is_slow = isinstance(body.fault, TooSlow)
            drain = body.has_more and not is_slow
            await refuse(body.fault, scope, receive, send, drain=drain)


class _Body:
    """A body that is arriving. Its bytes are counted and its time is measured until the response
    begins.

    Only the time spent waiting for the client counts.
    """

    def __init__(
        self, limits: BodyLimits, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._limits = limits
        self._scope = scope
        self._receive = receive
        self._send = send
        self._received_bytes = 0
        self._waited_s = 0.0
        self.has_more = True
        self.is_answered = False
        self.fault: SeraError | None = None

    def check_declared_bytes(self) -> None:
        if declared_bytes(self._scope) > self._limits.max_bytes:
            self._cut(self._too_large())

    async def receive(self) -> Message:
        if self.is_answered or not self.has_more:
            return await self._receive()
        message = await self._receive_timed()
        self._received_bytes += len(message.get("body", b""))
        self.has_more = message.get("more_body", False)
        if self._received_bytes > self._limits.max_bytes:
            self._cut(self._too_large())
        is_past_grace = self._waited_s > self._limits.stall_s
        if (
            self.has_more
            and is_past_grace
            and self._received_bytes < self._min_bytes_so_far()
        ):
            self._cut(self._too_slow())
        return message

    async def send(self, message: Message) -> None:
        if self.fault is None:
            self.is_answered = True
            await self._send(message)

    async def _receive_timed(self) -> Message:
        began_at = time.monotonic()
        try:
            return await asyncio.wait_for(self._receive(), self._limits.stall_s)
        except TimeoutError:
            self._cut(self._too_slow())
        finally:
            self._waited_s += time.monotonic() - began_at

    def _min_bytes_so_far(self) -> float:
        return self._waited_s * self._limits.min_bytes_per_s

    def _cut(self, fault: SeraError) -> NoReturn:
        self.fault = fault
        raise _Cut

    def _too_large(self) -> TooLarge:
        path_end = "/" + self._scope["path"].rpartition("/")[2]
        error = TOO_LARGE_BY_PATH_END.get(path_end, TooLarge)
        return error(limit_mib=self._limits.max_bytes // 2**20)

    def _too_slow(self) -> TooSlow:
        log().info(
            "request.too-slow",
            route=route_of(self._scope),
            bytes=self._received_bytes,
            waited_s=round(self._waited_s, 1),
        )
        return TooSlow(
            least_bytes_per_s=self._limits.min_bytes_per_s,
            stall_s=self._limits.stall_s,
        )


async def refuse(
    error: SeraError, scope: Scope, receive: Receive, send: Send, drain: bool
) -> None:
    """Send the error as a problem response while a body is still arriving.

    With `drain`, the rest of the body is read and dropped for LINGER_S. A client that sends
    everything before it reads then gets the response and not a reset connection.
    """
    answer = error_response(error)
    if drain or isinstance(error, TooSlow):
        answer.headers["Connection"] = "close"
    await answer(scope, receive, _keep_open(send))
    if drain:
        await _drain(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def declared_bytes(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "0")
    return int(declared) if declared.isdigit() else 0


def has_body(scope: Scope) -> bool:
    return declared_bytes(scope) > 0 or "transfer-encoding" in Headers(scope=scope)


def _keep_open(send: Send) -> Send:
    """Return a `send` that sends the body of the response but leaves the response open."""

    async def send_open(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await send(message)

    return send_open


async def _drain(receive: Receive) -> None:
    """Read and drop arriving data for at most LINGER_S."""
    deadline = time.monotonic() + LINGER_S
    while (remaining_s := deadline - time.monotonic()) > 0:
        try:
            message = await asyncio.wait_for(receive(), remaining_s)
        except TimeoutError:
            return
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return
