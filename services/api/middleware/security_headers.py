"""Headers that every answer carries, so that a browser neither guesses, frames, leaks nor keeps it."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTHING = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of what is no page: nothing is fetched, run, sent or framed."""
DEFAULT_HEADERS = {
    "Content-Security-Policy": NOTHING,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
"""A year, of this name alone: whoever runs SERA does not speak for the names below it."""


class SecurityHeadersMiddleware:
    """Adds what a route has not set itself."""

    def __init__(self, app: ASGIApp, public_url: str | None = None) -> None:
        self._app = app
        self._headers = DEFAULT_HEADERS | (
            TLS_ONLY if (public_url or "").startswith("https://") else {}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    held.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)
