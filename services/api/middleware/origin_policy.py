"""Protects browser sessions: SERA's cookies, and the check that a request comes from SERA's own
pages.

A program sends its key on purpose. A browser sends a cookie no matter which site triggered the
request. So a request with a cookie may change something only if it proves that one of SERA's own
pages sent it (protection against cross-site request forgery, CSRF).
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
SAME_ORIGIN = "same-origin"


class CrossSite(SeraError):
    code = "cross-site"
    status = 403
    text = (
        "This request does not come from a page of SERA itself. Open SERA in the browser, or "
        "use an API key."
    )


class CsrfWrong(SeraError):
    code = "csrf-token-wrong"
    status = 403
    text = (
        "The header X-CSRF-Token is missing or not this session's. Read it anew from GET "
        "/v1/session and send it."
    )


@dataclass(frozen=True)
class OriginPolicy:
    """Knows SERA's own origin, sets SERA's cookies and checks the origin of requests."""

    public_url: str | None
    """The address that browsers use for SERA. If it is None, the Host header of each request
    counts.
    """

    @property
    def is_tls(self) -> bool:
        return (self.public_url or "").startswith("https://")

    @property
    def session_cookie(self) -> str:
        """Name of the cookie. With the prefix a browser accepts it only from this host and over
        TLS.
        """
        return f"{TLS_PREFIX}{SESSION_COOKIE}" if self.is_tls else SESSION_COOKIE

    def session_token(self, headers: Headers) -> str | None:
        """Return the token of the session cookie, or None if the request has no session cookie."""
        cookies = cookie_parser(headers.get("cookie", ""))
        return cookies.get(self.session_cookie) or None

    def set_session_cookie(self, answer: Response, token: str) -> None:
        """Set the session cookie. It lasts until the browser closes. It is `strict`: the browser
        never sends it with requests from other sites, even if they are links.
        """
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

    def base_url(self, request_url: object) -> str:
        """Return SERA's own address without a slash at its end. Without `public_url` it is the
        request's address.
        """
        return str(self.public_url or request_url).rstrip("/")

    @property
    def oidc_cookie(self) -> str:
        return f"{self.session_cookie}-arrival"

    def oidc_browser_token(self, headers: Headers) -> str:
        """Return the token which shows that this browser began the sign-in at the identity
        provider.
        """
        cookies = cookie_parser(headers.get("cookie", ""))
        return cookies.get(self.oidc_cookie, "")

    def set_oidc_cookie(
        self, answer: Response, browser_token: str, max_age_s: int
    ) -> None:
        """Set the sign-in cookie. It is `lax`, so that the browser sends it with the redirect from
        the provider's page.
        """
        answer.set_cookie(
            self.oidc_cookie,
            browser_token,
            max_age=max_age_s,
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
        """Check that a request which changes something comes from one of SERA's own pages.

        Raises CrossSite, CsrfWrong.
        """
        self.refuse_cross_origin(headers)
        if "origin" not in headers and "sec-fetch-site" not in headers:
            raise CrossSite
        actual = headers.get(CSRF_HEADER, "").encode()
        expected = csrf_token(token).encode()
        if not hmac.compare_digest(actual, expected):
            raise CsrfWrong

    def refuse_cross_origin(self, headers: Headers) -> None:
        """Refuse a request from another site. Raises CrossSite if the browser's headers name such a
        site.
        """
        if headers.get("sec-fetch-site", SAME_ORIGIN) != SAME_ORIGIN:
            raise CrossSite
        origin = headers.get("origin")
        if origin is not None and not self._is_own_origin(origin, headers):
            raise CrossSite

    def _is_own_origin(self, origin: str, headers: Headers) -> bool:
        if self.public_url:
            return origin == self.public_url.rstrip("/").lower()
        return urlsplit(origin).netloc == headers.get("host", "")


def csrf_token(token: str) -> str:
    """Return the CSRF token of SERA's own pages. It is derived from the session token, which pages
    cannot read.
    """
    key = token.encode(errors="surrogatepass")
    return hmac.new(key, b"sera-csrf/1", hashlib.sha256).hexdigest()
