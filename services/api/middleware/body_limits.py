"""What is refused before a body is read to its end: too many bytes, bytes too slow to come."""

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
"""What the form's other fields and boundaries may add to an image."""


class BatchTooLarge(TooLarge):
    text = "The batch is larger than {limit_mib} MiB. Send smaller batches: what one brings in stays, whatever follows."


SMALLER = {"/batches": BatchTooLarge}
"""What is said of a body over the cap, by the end of its address, where the image is not to blame."""


class TooSlow(SeraError):
    code = "too-slow"
    status = 408
    retryable = True
    text = (
        "The body came at less than {least_bytes_per_s} bytes a second, or stopped for {stall_s:g} s. Nothing was "
        "taken; send the request again over a better connection."
    )


@dataclass(frozen=True)
class BodyLimits:
    """How much a body may be, and how slowly it may come."""

    max_bytes: int
    stall_s: float
    min_bytes_per_s: int

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        most = settings.max_upload_bytes + FORM_ALLOWANCE
        return cls(most, settings.body_stall_s, settings.least_body_bytes_per_s)


class _Cut(Exception):
    """The body went over its bounds; what the app makes of the interruption is of no interest."""


class BodyLimitMiddleware:
    """Refuses a body that is too large with 413, or too slow with 408, whatever Content-Length says."""

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
        if body.fault and not body.answered:
            await refuse(
                body.fault,
                scope,
                receive,
                send,
                body.more and not isinstance(body.fault, TooSlow),
            )


class _Body:
    """A body on its way: counted and timed until the answer begins. Only waiting for the client is timed."""

    def __init__(
        self, limits: BodyLimits, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._limits = limits
        self._scope = scope
        self._receive = receive
        self._send = send
        self._taken = 0
        self._waited_s = 0.0
        self.more = True
        self.answered = False
        self.fault: SeraError | None = None

    def check_declared_bytes(self) -> None:
        if declared_bytes(self._scope) > self._limits.max_bytes:
            self._cut(self._too_large())

    async def receive(self) -> Message:
        if self.answered or not self.more:
            return await self._receive()
        message = await self._in_time()
        self._taken += len(message.get("body", b""))
        self.more = message.get("more_body", False)
        if self._taken > self._limits.max_bytes:
            self._cut(self._too_large())
        if (
            self.more
            and self._waited_s > self._limits.stall_s
            and self._taken < self._owed()
        ):
            self._cut(self._too_slow())
        return message

    async def send(self, message: Message) -> None:
        if self.fault is None:
            self.answered = True
            await self._send(message)

    async def _in_time(self) -> Message:
        began = time.monotonic()
        try:
            return await asyncio.wait_for(self._receive(), self._limits.stall_s)
        except TimeoutError:
            self._cut(self._too_slow())
        finally:
            self._waited_s += time.monotonic() - began

    def _owed(self) -> float:
        return self._waited_s * self._limits.min_bytes_per_s

    def _cut(self, fault: SeraError) -> NoReturn:
        self.fault = fault
        raise _Cut

    def _too_large(self) -> TooLarge:
        end = "/" + self._scope["path"].rpartition("/")[2]
        return SMALLER.get(end, TooLarge)(limit_mib=self._limits.max_bytes // 2**20)

    def _too_slow(self) -> TooSlow:
        told = {"bytes": self._taken, "waited_s": round(self._waited_s, 1)}
        log().info("request.too-slow", route=route_of(self._scope), **told)
        return TooSlow(
            least_bytes_per_s=self._limits.min_bytes_per_s,
            stall_s=self._limits.stall_s,
        )


async def refuse(
    error: SeraError, scope: Scope, receive: Receive, send: Send, more: bool
) -> None:
    """Answer with the error's problem while a body is still coming.

    It goes on reading for a while without keeping anything, so that a client that writes first and reads later sees the
    answer rather than a reset connection.
    """
    answer = error_response(error)
    if more or isinstance(error, TooSlow):
        answer.headers["Connection"] = "close"
    await answer(scope, receive, _keep_open(send))
    if more:
        await _drain(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def declared_bytes(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "0")
    return int(declared) if declared.isdigit() else 0


def has_body(scope: Scope) -> bool:
    return declared_bytes(scope) > 0 or "transfer-encoding" in Headers(scope=scope)


def _keep_open(send: Send) -> Send:
    async def partly(message: Message) -> None:
        await send(
            {**message, "more_body": True}
            if message["type"] == "http.response.body"
            else message
        )

    return partly


async def _drain(receive: Receive) -> None:
    until = time.monotonic() + LINGER_S
    while (left := until - time.monotonic()) > 0:
        try:
            message = await asyncio.wait_for(receive(), left)
        except TimeoutError:
            return
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return
