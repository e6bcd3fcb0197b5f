"""`Idempotency-Key`: a request that changes something is done once, and each repeat is given its answer.

After draft-ietf-httpapi-idempotency-key-header-07, save that a key which comes with another request is answered 409
rather than 422: 422 says here that a body cannot be used as it is.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Scope

from services.api.errors import localized_sentence, problem_response
from shared.errors import InputError, SeraError
from shared.ledger import Ledger
from shared.ledger.idempotency.receipts import Answer
from shared.ledger.idempotency.requests import Answered
from shared.observability.logs import log
from shared.settings import Settings

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 200
UNSAFE_METHODS = ("POST", "PUT", "PATCH", "DELETE")
REPLAYED_HEADER = "Idempotent-Replayed"
STORED_HEADERS = ("content-type", "location", "etag")
CASE_PATH = re.compile("/v1/cases/([^/]+)")
SWEEP_EVERY_S = 600.0
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
    "description": "A new word for each thing to be done, e.g. a UUID. Send the request again with the same word as "
    f"often as needed: it is done once, and each repeat is given the first one's answer, with `{REPLAYED_HEADER}: true`. "
    "With another request the word is refused (409).",
}


class KeyUnusable(InputError):
    code = "idempotency-key-unusable"
    text = "An Idempotency-Key has 1 to {longest} printable letters. Take a UUID, for example."


class BufferedReply:
    """An answer held back until it is on record."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def buffer(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def is_success(self) -> bool:
        return bool(self.messages) and self.messages[0]["status"] < 400

    @property
    def is_replay(self) -> bool:
        """Whether it is an earlier request's answer."""
        return REPLAYED_HEADER in Headers(raw=self.messages[0]["headers"])

    def answer(self, scope: Scope) -> Answer:
        """What a repeat is given: this, or what the route said instead."""
        instead = scope["state"].get("repeated_as")
        if instead is not None:
            return _answer(instead.status_code, instead.headers, instead.body, scope)
        start, *rest = self.messages
        headers = Headers(raw=start["headers"])
        body = b"".join(message.get("body", b"") for message in rest)
        return _answer(start["status"], headers, body, scope)


def answer_repeats_with(request: Request, error: SeraError, **more: Any) -> None:
    """Have a repeat told this instead of the answer, which holds what is shown once and kept by nobody."""
    request.scope["state"]["repeated_as"] = problem_response(
        error.status, error.code, localized_sentence(error), **more
    )


def replay(answer: Answer) -> Response:
    """The answer that the first request got."""
    return Response(answer.body, answer.status, {**answer.headers, REPLAYED_HEADER: "true"})


def install(app: FastAPI) -> None:
    """Teach the app to give an answer again, and to say in its document that it does."""

    @app.exception_handler(Answered)
    def again(request: Request, answered: Answered) -> Response:
        return replay(answered.answer)

    plain = app.openapi

    def documented() -> dict[str, Any]:
        document = plain()
        for path, methods in document["paths"].items():
            for method, described in methods.items():
                if accepts_idempotency_key(path) and method.upper() in UNSAFE_METHODS:
                    _document(described)
        return document

    app.openapi = documented  # type: ignore[method-assign]  # FastAPI's own way to change it


@asynccontextmanager
async def sweep_receipts_periodically(ledger: Ledger, settings: Settings) -> AsyncIterator[None]:
    """Drop receipts that were kept long enough, now and then."""
    task = asyncio.create_task(
        _sweep(ledger, timedelta(hours=settings.receipts_kept_h))
    )
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep(ledger: Ledger, kept: timedelta) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        try:
            await asyncio.to_thread(sweep_receipts, ledger, kept)
        except SeraError as error:
            log().warning("receipts.not-swept", code=error.code)


def sweep_receipts(ledger: Ledger, kept: timedelta) -> int:
    with ledger.system_session("gateway") as session:
        return session.receipts.sweep(kept)


def accepts_idempotency_key(path: str) -> bool:
    """Whether a key counts here.

    Not for signing in and out: a wrong try must count, whatever key comes with it. Nor for a look, which changes
    nothing and of which nothing may be kept.
    """
    return path.startswith("/v1/") and not path.startswith(("/v1/session", "/v1/looks"))


def idempotency_key_of(scope: Scope) -> str | None:
    """The key of a request that changes something."""
    if (
        scope["type"] != "http"
        or scope["method"] not in UNSAFE_METHODS
        or not accepts_idempotency_key(scope["path"])
    ):
        return None
    return Headers(scope=scope).get(HEADER)


def _answer(status: int, headers: Any, body: bytes, scope: Scope) -> Answer:
    return Answer(
        status,
        {name: headers[name] for name in STORED_HEADERS if name in headers},
        bytes(body),
        _case(scope, body),
    )


def _case(scope: Scope, body: bytes) -> UUID | None:
    """The case that an address or an answer names."""
    found = CASE_PATH.match(scope["path"])
    told = found and found[1]
    with suppress(ValueError, AttributeError, TypeError):
        told = told or json.loads(body).get("case_id")
    with suppress(ValueError):
        return UUID(str(told))
    return None


def _document(told: dict[str, Any]) -> None:
    parameters = told.setdefault("parameters", [])
    if not any(each["name"] == HEADER for each in parameters):
        parameters.append(PARAMETER)
