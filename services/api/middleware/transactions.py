"""Commits the one transaction of each request, and limits how many requests hold a connection."""

import asyncio
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.errors import error_response
from services.api.middleware.body_limits import has_body, refuse
from services.api.middleware.fingerprint import RequestFingerprint
from services.api.middleware.idempotency import (
    MAX_KEY_LENGTH,
    BufferedReply,
    KeyUnusable,
    idempotency_key_of,
    replay,
)
from shared.errors import SeraError, Unavailable
from shared.ledger import Transaction
from shared.ledger.db_role import translate_database_errors
from shared.ledger.idempotency.requests import (
    AlreadyAnswered,
    IdempotencyKey,
    IdempotentRequest,
)
from shared.observability.logs import log
from shared.settings import Settings

POOL_SIZE = 20
"""Connections that the gateway keeps open. For a short time it may open the same number in
addition.
"""
MAX_CONCURRENT_REQUESTS = 30
"""Requests that may hold a connection at once. The limit is below the number of connections, which
leaves some for transactions that belong to no request."""
SLOT_WAIT_S = 10.0


class Slots:
    """Limits how many requests may hold a connection.

    A request waits for its slot in the event loop. If it waited for a connection in a thread, the
    requests that hold the connections might find no free thread to continue in. A request keeps its
    slot until its response begins, even while an image is stored or decoded, because that work uses
    one of the few threads. A request that waits for a job releases its slot.
    """

    def __init__(
        self, count: int = MAX_CONCURRENT_REQUESTS, wait_s: float = SLOT_WAIT_S
    ) -> None:
        self._free = asyncio.Semaphore(count)
        self._wait_s = wait_s

    def slot(self) -> "Slot":
        return Slot(self._free, self._wait_s)


class Slot:
    """The slot of one request. It is taken before the request uses its transaction, and released
    when the response begins.
    """

    def __init__(self, free: asyncio.Semaphore, wait_s: float) -> None:
        self._free = free
        self._wait_s = wait_s
        self._is_taken = False

    @property
    def is_taken(self) -> bool:
        return self._is_taken

    async def take(self) -> None:
        """Take the slot. Raises Unavailable if no slot becomes free within the waiting time."""
        if self._is_taken:
            return
        try:
            await asyncio.wait_for(self._free.acquire(), self._wait_s)
        except TimeoutError as busy:
            raise Unavailable(service="The database") from busy
        self._is_taken = True

    def release(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._free.release()


class TransactionMiddleware:
    """Commits a request's transaction before its response is sent.

    The receipt of an Idempotency-Key is part of that transaction. Notifications are sent after the
    commit. If the status is 400 or above, everything that is not committed yet is rolled back.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._retention = timedelta(hours=settings.receipts_kept_h)
        self._wait_s = settings.same_key_wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        transaction: Transaction = scope["state"]["transaction"]
        key = idempotency_key_of(scope)
        caller = scope["state"].get("caller")
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if key is None or caller is None:
                await self._committed(transaction, scope, receive, note_start)
            elif 0 < len(key) <= MAX_KEY_LENGTH and key.isprintable():
                idempotency_key = IdempotencyKey(
                    hospital_id=caller.hospital_id,
                    key=key,
                    retention=self._retention,
                    wait_s=self._wait_s,
                )
                await self._idempotent(
                    transaction, idempotency_key, scope, receive, send
                )
            else:
                unusable = KeyUnusable(longest=MAX_KEY_LENGTH)
                await refuse(unusable, scope, receive, send, drain=has_body(scope))
        except SeraError as error:  # a database error in the app or in the commit
            await run_in_threadpool(transaction.rollback)
            if started:
                raise
            await _refusal(error)(scope, receive, send)

    async def _committed(
        self, transaction: Transaction, scope: Scope, receive: Receive, send: Send
    ) -> None:
        has_failed = False

        async def commit_then_send(message: Message) -> None:
            """Commit, then send. If the commit fails, the error replaces the app's response,
            because that response is then wrong.
            """
            nonlocal has_failed
            if has_failed:
                return
            if message["type"] == "http.response.start":
                try:
                    await _end(transaction, commit=message["status"] < 400)
                except SeraError as error:
                    has_failed = True
                    await run_in_threadpool(transaction.rollback)
                    return await _refusal(error)(scope, receive, send)
                finally:
                    scope["state"]["slot"].release()
            await send(message)

        with translate_database_errors():
            await self._app(scope, receive, commit_then_send)

    async def _idempotent(
        self,
        transaction: Transaction,
        key: IdempotencyKey,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        body = RequestFingerprint(scope, receive, scope["state"]["caller"].person)
        request = IdempotentRequest(transaction, key, body.digest)
        scope["state"]["idempotent_request"] = request
        reply = BufferedReply()
        try:
            with translate_database_errors():
                await self._app(scope, body.receive, reply.buffer)
            if reply.is_success and not reply.is_replay:
                await run_in_threadpool(request.commit, reply.answer(scope))
        except AlreadyAnswered as answered:  # another request with this key was first
            await run_in_threadpool(transaction.rollback)
            return await replay(answered.response)(scope, receive, send)
        if transaction.is_open:
            await run_in_threadpool(transaction.rollback)
        scope["state"]["slot"].release()
        for message in reply.messages:
            await send(message)


def _refusal(error: SeraError) -> Response:
    if isinstance(error, Unavailable):
        log().warning("api.unavailable", service=error.facts.get("service"))
    return error_response(error)


async def _end(transaction: Transaction, commit: bool) -> None:
    """Commit or roll back.

    An open transaction ends in a thread, because ending it waits for the database. A transaction
    that was never opened ends immediately.
    """
    end = transaction.commit if commit else transaction.rollback
    if transaction.is_open:
        await run_in_threadpool(end)
    else:
        end()
