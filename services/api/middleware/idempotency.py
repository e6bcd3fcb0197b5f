"""Implements `Idempotency-Key`: a change is made once, and each repeated request gets the same
response.

Follows draft-ietf-httpapi-idempotency-key-header-07 with one difference. If a key is used again for
a different request, the status is 409 and not 422, because SERA uses 422 for a body that cannot be
used.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import Message, Scope

from services.api.errors import localized_sentence, problem_response
from shared.errors import InputError, SeraError
from shared.ledger import Ledger
from shared.ledger.idempotency.receipts import StoredResponse
from shared.ledger.idempotency.requests import AlreadyAnswered
from shared.observability.logs import log
from shared.settings import Settings

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 200
UNSAFE_METHODS = ("POST", "PUT", "PATCH", "DELETE")
REPLAYED_HEADER = "Idempotent-Replayed"
STORED_HEADERS = ("content-type", "location", "etag")
CASE_PATH = re.compile("/v1/cases/([^/]+)")
WITHOUT_KEY = ("/v1/session", "/v1/previews", "/v1/manifests", "/v1/case-tables")
"""Prefixes of paths on which an Idempotency-Key has no effect."""
DRY_RUN_PATH = re.compile("/v1/datasets(/[^/]+/batches)?")
"""Paths with a query parameter `dry_run`. A dry run has no receipt: it changes nothing, and its
answer may hold pictures, which must not be stored.
"""
TRUE_WORDS = frozenset({"1", "on", "t", "true", "y", "yes"})
"""What pydantic reads as true, in small letters."""
SWEEP_EVERY_S = 600.0
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
    "description": "A new value for each operation, for example a UUID. Send the request again "
    "with the same key as "
    "often as needed: the operation is done once, and each repeat gets the first answer, with "
    f"`{REPLAYED_HEADER}: true`. The same key with another request is refused (409).",
}


class KeyUnusable(InputError):
    code = "idempotency-key-unusable"
    text = "An Idempotency-Key has 1 to {longest} printable letters. Take a UUID, for example."


class BufferedReply:
    """Holds a response back until its receipt is committed."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def buffer(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def is_success(self) -> bool:
        return bool(self.messages) and self.messages[0]["status"] < 400

    @property
    def is_replay(self) -> bool:
        """Whether this response repeats the response to an earlier request."""
        return REPLAYED_HEADER in Headers(raw=self.messages[0]["headers"])

    def answer(self, scope: Scope) -> StoredResponse:
        """Return the response for repeated requests: this response, or another one that the route
        has set.
        """
        replacement = scope["state"].get("answer_for_repeats")
        if replacement is not None:
            return _answer(
                status=replacement.status_code,
                headers=replacement.headers,
                body=replacement.body,
                scope=scope,
            )
        start, *body_messages = self.messages
        body = b"".join(message.get("body", b"") for message in body_messages)
        return _answer(
            status=start["status"],
            headers=Headers(raw=start["headers"]),
            body=body,
            scope=scope,
        )


def answer_repeats_with(
    request: Request, error: SeraError, extensions: Mapping[str, object]
) -> None:
    """Send this error, and not the response, to repeated requests.

    Used if the response contains a secret that is shown once and stored nowhere.
    """
    request.scope["state"]["answer_for_repeats"] = problem_response(
        status=error.status,
        code=error.code,
        detail=localized_sentence(error),
        extensions=extensions,
    )


def replay(answer: StoredResponse) -> Response:
    """Return the response to the first request, marked as a repeat."""
    headers = {**answer.headers, REPLAYED_HEADER: "true"}
    return Response(answer.body, status_code=answer.status, headers=headers)


def install(app: FastAPI) -> None:
    """Make the app repeat stored responses, and describe the header in its OpenAPI document."""

    @app.exception_handler(AlreadyAnswered)
    def answer_again(request: Request, answered: AlreadyAnswered) -> Response:
        return replay(answered.response)

    original_openapi = app.openapi

    def openapi_with_header() -> dict[str, Any]:
        document = original_openapi()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if accepts_idempotency_key(path) and method.upper() in UNSAFE_METHODS:
                    _add_parameter(operation)
        return document

    # FastAPI documents that this method is replaced
    app.openapi = openapi_with_header  # type: ignore[method-assign]  # see above


@asynccontextmanager
async def sweep_receipts_periodically(
    ledger: Ledger, settings: Settings
) -> AsyncIterator[None]:
    """Delete receipts older than their retention, every SWEEP_EVERY_S."""
    retention = timedelta(hours=settings.receipts_kept_h)
    task = asyncio.create_task(_sweep_forever(ledger, retention))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep_forever(ledger: Ledger, retention: timedelta) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        try:
            await asyncio.to_thread(sweep_receipts, ledger, retention)
        except SeraError as error:
            log().warning("receipts.not-swept", code=error.code)


def sweep_receipts(ledger: Ledger, retention: timedelta) -> int:
    with ledger.system_session("gateway") as session:
        return session.receipts.sweep(retention)


def accepts_idempotency_key(path: str) -> bool:
    """Return whether an Idempotency-Key has an effect on this path.

    It has no effect on sign-in and sign-out, because every wrong attempt must count. It has no
    effect on previews and on tables that are only read, because they change nothing and must not
    be stored.
    """
    return path.startswith("/v1/") and not path.startswith(WITHOUT_KEY)


def idempotency_key_of(scope: Scope) -> str | None:
    """Return the key of a request that changes something."""
    if (
        scope["type"] != "http"
        or scope["method"] not in UNSAFE_METHODS
        or not accepts_idempotency_key(scope["path"])
        or is_dry_run(scope)
    ):
        return None
    return Headers(scope=scope).get(HEADER)


def is_dry_run(scope: Scope) -> bool:
    """Return whether the request only asks what would happen."""
    if DRY_RUN_PATH.fullmatch(scope["path"]) is None:
        return False
    value = QueryParams(scope["query_string"]).get("dry_run", "")
    return value.lower() in TRUE_WORDS


def _answer(
    status: int, headers: Mapping[str, str], body: bytes, scope: Scope
) -> StoredResponse:
    stored_headers = {name: headers[name] for name in STORED_HEADERS if name in headers}
    return StoredResponse(
        status=status,
        headers=stored_headers,
        body=bytes(body),
        case=_case_id(scope, body),
    )


def _case_id(scope: Scope, body: bytes) -> UUID | None:
    """Return the case that the path or the response names."""
    path_match = CASE_PATH.match(scope["path"])
    case_id = path_match and path_match[1]
    with suppress(ValueError, AttributeError, TypeError):
        case_id = case_id or json.loads(body).get("case_id")
    with suppress(ValueError):
        return UUID(str(case_id))
    return None


def _add_parameter(operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    if not any(parameter["name"] == HEADER for parameter in parameters):
        parameters.append(PARAMETER)
