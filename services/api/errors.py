"""Every error leaves as `application/problem+json` (RFC 9457) with a code and the next step."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from services.api import locales
from services.api.locales import Language
from services.api.middleware.security_headers import DEFAULT_HEADERS
from services.api.monitoring.prometheus.traffic import REFUSALS, route_of
from shared.domain.messages import to_json
from shared.errors import SeraError, StorageFull, Unavailable
from shared.observability.disk_space import says_full
from shared.observability.logs import log

PROBLEM = {
    "description": "A problem (RFC 9457): `code`, `detail` says the next step, `retryable`.",
    "content": {
        "application/problem+json": {
            "example": {
                "type": "urn:sera:problem:roi-outside-image",
                "code": "roi-outside-image",
                "status": 422,
                "detail": "The ROI reaches beyond the image (320 x 240). Send pixel coordinates of the upload.",
                "retryable": False,
            }
        }
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": PROBLEM, "5XX": PROBLEM}

PLAIN = {
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

CLEARER = {"bool_parsing": "Input should be true or false (1 or 0, yes or no)"}
"""Where pydantic's own words, by its name of the error, do not say what to send."""


def problem_response(
    status: int,
    code: str,
    told: tuple[str, Language],
    retryable: bool = False,
    retry_after_s: object = 1,
    **more: Any,
) -> JSONResponse:
    REFUSALS.labels(code).inc()
    detail, language = told
    body = {
        "type": f"urn:sera:problem:{code}",
        "code": code,
        "status": status,
        "detail": detail,
    }
    later = {"Retry-After": str(retry_after_s)} if retryable else None
    headers = locales.language_headers(language) | (
        {"WWW-Authenticate": "Bearer"} if status == 401 else later or {}
    )
    return JSONResponse(
        body | {"retryable": retryable} | more,
        status,
        headers=headers,
        media_type="application/problem+json",
    )


def localized_sentence(error: SeraError) -> tuple[str, Language]:
    """Its sentence in the caller's language."""
    return locales.sentence(error.code, error.facts, str(error))


def error_item(error: SeraError) -> dict[str, Any]:
    """An error that is told beside others in one answer."""
    return {
        "code": error.code,
        "message": localized_sentence(error)[0],
        "facts": to_json(error.facts),
    }


def error_response(error: SeraError) -> JSONResponse:
    later = error.facts.get("retry_after_s", error.retry_after_s)
    return problem_response(error.status, error.code, localized_sentence(error), error.retryable, later)


def install(app: FastAPI) -> None:
    """Teach the app to answer errors as problems."""

    @app.exception_handler(SeraError)
    def known(request: Request, error: SeraError) -> JSONResponse:
        if isinstance(error, Unavailable):
            log().warning("api.unavailable", service=error.facts.get("service"))
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [
            {"field": _field(each), "problem": _problem(each)}
            for each in error.errors()
        ]
        wrong = validation_summary(error.errors())
        english = f"The request cannot be used: {wrong}. Correct and resend."
        detail = locales.sentence("invalid-request", {"fields": wrong}, english)
        return problem_response(422, "invalid-request", detail, errors=fields)

    @app.exception_handler(OSError)
    def outside(request: Request, error: OSError) -> JSONResponse:
        if not says_full(error):
            raise error
        return error_response(StorageFull(what="temporary files"))

    @app.exception_handler(HTTPException)
    def plain(request: Request, error: HTTPException) -> JSONResponse:
        if says_full(
            error
        ):  # a form that finds no room is reported as one that cannot be read
            return error_response(StorageFull(what="temporary files"))
        code, text = PLAIN.get(error.status_code, ("http-error", str(error.detail)))
        answer = problem_response(error.status_code, code, locales.sentence(code, {}, text))
        if error.status_code == 405:
            answer.headers["Allow"] = ", ".join(_methods(request))
        return answer

    @app.exception_handler(Exception)
    def unknown(request: Request, error: Exception) -> JSONResponse:
        # Starlette calls this outside of every middleware, so what they would add is added here.
        request_id: str = request.scope.get("state", {}).get("request_id", "")
        locales.CURRENT_LANGUAGE.set(
            locales.preferred_language(request.headers.get("accept-language", ""))
        )
        log().error(
            "api.failed",
            route=route_of(request.scope),
            request_id=request_id,
            exc_info=error,
        )
        answer = error_response(SeraError())
        answer.headers.update(DEFAULT_HEADERS | {"X-Request-Id": request_id})
        return answer


def _methods(request: Request) -> list[str]:
    """Those that the address takes, by whichever of its routes (RFC 9110, 15.5.6)."""
    return [
        method
        for method in METHODS
        if _takes(request.app, {**request.scope, "path_params": {}, "method": method})
    ]


def _takes(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def validation_summary(errors: Sequence[Any]) -> str:
    """Pydantic's errors in one line, each by its field."""
    return "; ".join(f"{_field(each)}: {_problem(each)}" for each in errors)


def _problem(error: dict[str, Any]) -> str:
    message: str = error["msg"]
    return CLEARER.get(error["type"], message)


def _field(error: dict[str, Any]) -> str:
    return (
        ".".join(
            str(part)
            for part in error["loc"]
            if part not in ("body", "query", "path", "header")
        )
        or "body"
    )
