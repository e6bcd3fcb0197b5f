"""Our own site, as a browser sees it: its cookie, and which requests come from its own pages.

A key is sent by a program on purpose. A cookie is sent by a browser whoever asked it to: what a cookie speaks for may
change something only if the request shows that one of our own pages made it.
"""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from shared.errors import SeraError

SESSION_COOKIE = "sera"
TLS_PREFIX = "__Host-"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
OWN_PAGE = "same-origin"


class CrossSite(SeraError):
    code = "cross-site"
    status = 403
    text = "This request does not come from a page of SERA itself. Open SERA in the browser, or use an API key."


class CsrfWrong(SeraError):
    code = "csrf-token-wrong"
    status = 403
    text = "The header X-CSRF-Token is missing or not this session's. Read it anew from GET /v1/session and send it."


@dataclass(frozen=True)
class OriginPolicy:
    """`public_url` is what browsers reach us by; without it, whatever name they called us by."""

    public_url: str | None

    @property
    def is_tls(self) -> bool:
        return (self.public_url or "").startswith("https://")

    @property
    def session_cookie(self) -> str:
        """With the prefix a browser takes it from this very host over TLS only."""
        return f"{TLS_PREFIX}{SESSION_COOKIE}" if self.is_tls else SESSION_COOKIE

    def session_token(self, headers: Headers) -> str | None:
        """The session's, if a cookie holds one."""
        return cookie_parser(headers.get("cookie", "")).get(self.session_cookie) or None

    def set_session_cookie(self, answer: Response, token: str) -> None:
        """Until the browser closes. No page of another site makes it send this, not even by a link."""
        answer.set_cookie(
            self.session_cookie,
            token,
            path="/",
            secure=self.is_tls,
            httponly=True,
            samesite="strict",
        )

    def delete_session_cookie(self, answer: Response) -> None:
        answer.delete_cookie(
            self.session_cookie,
            path="/",
            secure=self.is_tls,
            httponly=True,
            samesite="strict",
        )

    def base_url(self, called: object) -> str:
        """Ours, without a slash at its end; `called` is what a request called us by."""
        return str(self.public_url or called).rstrip("/")

    @property
    def oidc_cookie(self) -> str:
        return f"{self.session_cookie}-arrival"

    def oidc_browser_token(self, headers: Headers) -> str:
        """What marks this browser as the one that set out to a provider of identities."""
        return cookie_parser(headers.get("cookie", "")).get(self.oidc_cookie, "")

    def set_oidc_cookie(self, answer: Response, browser: str, most_s: int) -> None:
        """Lax: the provider's page sends the browser back with it."""
        answer.set_cookie(
            self.oidc_cookie,
            browser,
            max_age=most_s,
            path="/",
            secure=self.is_tls,
            httponly=True,
            samesite="lax",
        )

    def delete_oidc_cookie(self, answer: Response) -> None:
        answer.delete_cookie(
            self.oidc_cookie,
            path="/",
            secure=self.is_tls,
            httponly=True,
            samesite="lax",
        )

    def check_csrf(self, headers: Headers, token: str) -> None:
        """What a session asks to be changed must come from a page of ours. Raises CrossSite, CsrfWrong."""
        self.refuse_cross_origin(headers)
        if "origin" not in headers and "sec-fetch-site" not in headers:
            raise CrossSite
        if not hmac.compare_digest(
            headers.get(CSRF_HEADER, "").encode(), csrf_token(token).encode()
        ):
            raise CsrfWrong

    def refuse_cross_origin(self, headers: Headers) -> None:
        """Raises CrossSite if a browser says that another site's page asked."""
        if headers.get("sec-fetch-site", OWN_PAGE) != OWN_PAGE:
            raise CrossSite
        if (origin := headers.get("origin")) is not None and not self._ours(
            origin, headers
        ):
            raise CrossSite

    def _ours(self, origin: str, headers: Headers) -> bool:
        if self.public_url:
            return origin == self.public_url.rstrip("/").lower()
        return urlsplit(origin).netloc == headers.get("host", "")


def csrf_token(token: str) -> str:
    """What a page of ours proves itself with: made from the session's token, which no page can read."""
    return hmac.new(
        token.encode(errors="surrogatepass"), b"sera-csrf/1", hashlib.sha256
    ).hexdigest()
