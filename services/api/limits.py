"""What is refused before a body is read to its end: callers without a key, and more bytes than the cap."""

import asyncio
import time
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.errors import of_error
from shared.errors import SeraError, TooLarge, Unauthenticated
from shared.ledger import Ledger
from shared.ledger.hospitals import Caller

LINGER_S = 10.0
FORM_ALLOWANCE = 256 * 1024
"""What the form's other fields and boundaries may add to an image."""
SCHEME = "bearer "


class BatchTooLarge(TooLarge):
    text = "The batch is larger than {limit_mib} MiB. Send smaller batches: what one brings in stays, whatever follows."


SMALLER = {"/batches": BatchTooLarge}
"""What is said of a body over the cap, by the end of its address, where the image is not to blame."""


class _OverCap(Exception):
    pass


class BodyCap:
    """Refuses a body above `limit` bytes with 413, counted as it comes, whatever Content-Length says."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, taken, more, over = False, 0, True, _declared(scope) > self._limit

        async def counted() -> Message:
            nonlocal taken, more, over
            message = await receive()
            taken, more = taken + len(message.get("body", b"")), message.get("more_body", False)
            over = taken > self._limit
            if over:
                raise _OverCap
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if not over:  # what the app makes of the interrupted body is of no interest
                started = True
                await send(message)

        if not over:
            with suppress(_OverCap):
                await self._app(scope, counted, watched)
        if over and not started:
            await refuse(self._refusal(scope["path"]), scope, receive, send, more)

    def _refusal(self, path: str) -> TooLarge:
        end = "/" + path.rpartition("/")[2]
        return SMALLER.get(end, TooLarge)(limit_mib=self._limit // 2**20)


class Doorman:
    """Learns whom the key of a request speaks for, and turns strangers away before their body is read."""

    def __init__(self, app: ASGIApp, ledger: Ledger, prefix: str = "/v1/") -> None:
        self._app, self._ledger, self._prefix = app, ledger, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            return await self._app(scope, receive, send)
        try:
            caller = await run_in_threadpool(known, self._ledger, Headers(scope=scope).get("authorization", ""))
        except SeraError as error:
            return await refuse(error, scope, receive, send, _has_body(scope))
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def known(ledger: Ledger, credentials: str) -> Caller:
    """Whom an Authorization header speaks for (`Unauthenticated`)."""
    if not credentials.lower().startswith(SCHEME):
        raise Unauthenticated
    with ledger.whole("gateway") as house:
        caller = house.keys.verify(credentials[len(SCHEME) :].strip())
    if caller is None:
        raise Unauthenticated
    return caller


def still_known(ledger: Ledger, caller: Caller) -> bool:
    """Whether the key of a request under way is good still; long answers ask, so that revoking ends them too."""
    with ledger.whole("gateway") as house:
        return house.keys.alive(caller.key_id)


async def refuse(error: SeraError, scope: Scope, receive: Receive, send: Send, more: bool) -> None:
    """Answer with the error's problem while a body is still coming.

    It goes on reading for a while without keeping anything, so that a client that writes first and reads later sees the
    answer rather than a reset connection.
    """
    answer = of_error(error)
    if more:
        answer.headers["Connection"] = "close"
    await answer(scope, receive, _keep_open(send))
    if more:
        await _drain(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _declared(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "0")
    return int(declared) if declared.isdigit() else 0


def _has_body(scope: Scope) -> bool:
    return _declared(scope) > 0 or "transfer-encoding" in Headers(scope=scope)


def _keep_open(send: Send) -> Send:
    async def partly(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

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
