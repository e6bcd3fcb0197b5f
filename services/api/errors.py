"""Converts every error to an `application/problem+json` response (RFC 9457) with a code and the
next step.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from services.api import locales
from services.api.locales import LocalizedText
from services.api.middleware.security_headers import DEFAULT_HEADERS
from services.api.monitoring.prometheus.traffic import REFUSALS, route_of
from shared.domain.messages import to_json
from shared.errors import SeraError, StorageFull, Unavailable
from shared.objects import ObjectDamaged
from shared.observability.disk_space import is_disk_full
from shared.observability.logs import log

PROBLEM = {
    "description": "A problem (RFC 9457): `code`, `detail` says the next step, `retryable`.",
    "content": {
        "application/problem+json": {
            "example": {
                "type": "urn:sera:problem:roi-outside-image",
                "code": "roi-outside-image",
                "status": 422,
                "detail": "The ROI reaches beyond the image (320 x 240). Send pixel coordinates of "
                "the upload.",
                "retryable": False,
            }
        }
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": PROBLEM, "5XX": PROBLEM}

HTTP_ERRORS = {
    400: (
        "body-unreadable",
        "The body cannot be read. Send it as this address wants it; see /openapi.json.",
    ),
    404: (
        "not-found",
        "There is nothing at this address. The addresses are listed at /openapi.json.",
    ),
    405: (
        "method-not-allowed",
        "This address does not take that method. See /openapi.json.",
    ),
}

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

CLEARER_MESSAGES = {"bool_parsing": "Input should be true or false (1 or 0, yes or no)"}
"""Messages for validation errors, by pydantic's error type. They replace messages of pydantic that
do not say what to send.
"""


def problem_response(
    status: int,
    code: str,
    detail: LocalizedText,
    retryable: bool = False,
    retry_after_s: object = 1,
    extensions: Mapping[str, object] | None = None,
) -> JSONResponse:
    """Build a problem response (RFC 9457). `extensions` become additional members of its JSON."""
    REFUSALS.labels(code).inc()
    body: dict[str, object] = {
        "type": f"urn:sera:problem:{code}",
        "code": code,
        "status": status,
        "detail": detail.text,
        "retryable": retryable,
        **(extensions or {}),
    }
    headers = locales.language_headers(detail.language)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    elif retryable:
        headers["Retry-After"] = str(retry_after_s)
    return JSONResponse(
        body,
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )


def localized_sentence(error: SeraError) -> LocalizedText:
    """Return the error's sentence in the caller's language."""
    return locales.sentence(error.code, error.facts, str(error))


def error_item(error: SeraError) -> dict[str, Any]:
    """Return the JSON of one error in a response that lists several errors."""
    return {
        "code": error.code,
        "message": localized_sentence(error).text,
        "facts": to_json(error.facts),
    }


def error_response(error: SeraError) -> JSONResponse:
    return problem_response(
        status=error.status,
        code=error.code,
        detail=localized_sentence(error),
        retryable=error.retryable,
        retry_after_s=error.facts.get("retry_after_s", error.retry_after_s),
    )


def install(app: FastAPI) -> None:
    """Register the exception handlers that convert errors to problem responses."""
    app.exception_handler(SeraError)(_sera_error)
    app.exception_handler(RequestValidationError)(_validation_error)
    app.exception_handler(OSError)(_os_error)
    app.exception_handler(HTTPException)(_http_error)
    app.exception_handler(Exception)(_unexpected_error)


def _sera_error(request: Request, error: SeraError) -> JSONResponse:
    if isinstance(error, Unavailable):
        log().warning("api.unavailable", service=error.facts.get("service"))
    if isinstance(error, ObjectDamaged):
        log().error(
            "object.damaged",
            code=error.code,
            object=error.facts.get("key"),
            route=route_of(request.scope),
        )
    return error_response(error)


def _validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
    fields = [
        {"field": _field_path(fault), "problem": _fault_message(fault)}
        for fault in error.errors()
    ]
    summary = validation_summary(error.errors())
    english = f"The request cannot be used: {summary}. Correct and resend."
    detail = locales.sentence("invalid-request", {"fields": summary}, english)
    return problem_response(
        422, "invalid-request", detail, extensions={"errors": fields}
    )


def _os_error(request: Request, error: OSError) -> JSONResponse:
    if not is_disk_full(error):
        raise error
    return error_response(StorageFull(what="temporary files"))


def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    # If the disk is full, Starlette reports that it cannot parse the form.
    if is_disk_full(error):
        return error_response(StorageFull(what="temporary files"))
    code, text = HTTP_ERRORS.get(error.status_code, ("http-error", str(error.detail)))
    detail = locales.sentence(code, {}, text)
    response = problem_response(error.status_code, code, detail)
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_allowed_methods(request))
    return response


def _unexpected_error(request: Request, error: Exception) -> JSONResponse:
    # Starlette calls this handler outside all middleware, so it adds the headers itself.
    request_id: str = request.scope.get("state", {}).get("request_id", "")
    language = locales.preferred_language(request.headers.get("accept-language", ""))
    locales.CURRENT_LANGUAGE.set(language)
    log().error(
        "api.failed",
        route=route_of(request.scope),
        request_id=request_id,
        exc_info=error,
    )
    response = error_response(SeraError())
    response.headers.update(DEFAULT_HEADERS | {"X-Request-Id": request_id})
    return response


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods that the routes of the request's path support (RFC 9110, 15.5.6)."""
    methods = []
    for method in METHODS:
        scope = {**request.scope, "path_params": {}, "method": method}
        if _has_route(request.app, scope):
            methods.append(method)
    return methods


def _has_route(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def validation_summary(errors: Sequence[Any]) -> str:
    """Return pydantic's errors in one line, each with the path of its field."""
    return "; ".join(
        f"{_field_path(fault)}: {_fault_message(fault)}" for fault in errors
    )


def _fault_message(fault: dict[str, Any]) -> str:
    message: str = fault["msg"]
    return CLEARER_MESSAGES.get(fault["type"], message)


def _field_path(fault: dict[str, Any]) -> str:
    names = [
        str(part)
        for part in fault["loc"]
        if part not in ("body", "query", "path", "header")
    ]
    return ".".join(names) or "body"
