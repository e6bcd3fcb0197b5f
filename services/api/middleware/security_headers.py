"""Adds security headers to every response: a browser must not guess its type, show it in a frame,
leak it or store it.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DENY_ALL = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of responses that are no page: nothing is fetched, run, sent or
framed.
"""
DEFAULT_HEADERS = {
    "Content-Security-Policy": DENY_ALL,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
"""One year, for this host name only: the operator of SERA may not control the subdomains."""


class SecurityHeadersMiddleware:
    """Adds the headers that the route has not set."""

    def __init__(self, app: ASGIApp, public_url: str | None = None) -> None:
        self._app = app
        is_tls = (public_url or "").startswith("https://")
        self._headers = DEFAULT_HEADERS | (TLS_ONLY if is_tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)
