"""Learns whom a request speaks for, by its key or its session, and turns strangers away before a body is read.

Where both are sent the key is looked at and the session is not: a header is sent on purpose, a cookie by habit.
"""

from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from services.api.limits import declared_bytes, has_body, refuse
from services.api.site import SAFE, Site
from shared.errors import Forbidden, SeraError, TooLarge, Unauthenticated
from shared.ledger import Ledger
from shared.ledger.hospitals import Caller
from shared.ledger.sessions import Lifetime
from shared.settings import Settings

SCHEME = "bearer "
SESSION = "/v1/session"
OPEN = frozenset(
    {("POST", SESSION), ("GET", f"{SESSION}/oidc"), ("GET", f"{SESSION}/oidc/callback")}
)
"""Routes for those who have not signed in yet."""
UNCHANGED = frozenset({("GET", SESSION), ("DELETE", SESSION), ("POST", f"{SESSION}/password")})
"""What may be done with a one-time password."""
STRANGERS_BYTES = 16 * 1024


class PasswordChangeNeeded(Forbidden):
    code = "password-change-needed"
    text = "Your password was for one time. Choose your own first: at /sign-in, or POST /v1/session/password."


class StrangerTooLarge(TooLarge):
    text = "Whoever signs in sends at most {limit_kib} KiB, and says beforehand how much (Content-Length)."


class Doorman:
    def __init__(
        self, app: ASGIApp, ledger: Ledger, site: Site, lifetime: Lifetime, prefix: str = "/v1/"
    ) -> None:
        self._app, self._ledger, self._site, self._lifetime = app, ledger, site, lifetime
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            return await self._app(scope, receive, send)
        try:
            caller = await self._admitted(scope)
        except SeraError as error:
            return await refuse(error, scope, receive, send, has_body(scope))
        scope.setdefault("state", {})["caller"] = caller
        with bound_contextvars(
            **({"hospital": str(caller.hospital_id)} if caller and caller.hospital_id else {})
        ):
            await self._app(scope, receive, send)

    async def _admitted(self, scope: Scope) -> Caller | None:
        asked, headers = (scope["method"], scope["path"]), Headers(scope=scope)
        if asked in OPEN:
            if declared_bytes(scope) > STRANGERS_BYTES or "transfer-encoding" in headers:
                raise StrangerTooLarge(limit_kib=STRANGERS_BYTES // 1024)
            if asked[0] not in SAFE:
                self._site.refuse_foreign(headers)
            return None
        if (credentials := headers.get("authorization")) is not None:
            return await run_in_threadpool(by_key, self._ledger, credentials)
        return await run_in_threadpool(self._by_session, headers, asked)

    def _by_session(self, headers: Headers, asked: tuple[str, str]) -> Caller:
        """Raises Unauthenticated, CrossSite, CsrfWrong, PasswordChangeNeeded."""
        if (token := self._site.token(headers)) is None:
            raise Unauthenticated
        with self._ledger.system_session("gateway") as session:
            found = session.sessions.verify(token, self._lifetime)
        if found is None:
            raise Unauthenticated
        if asked[0] not in SAFE:
            self._site.check(headers, token)
        if found.must_change and asked not in UNCHANGED:
            raise PasswordChangeNeeded
        return found.caller


def by_key(ledger: Ledger, credentials: str) -> Caller:
    """Whom an Authorization header speaks for (`Unauthenticated`)."""
    if not credentials.lower().startswith(SCHEME):
        raise Unauthenticated
    with ledger.system_session("gateway") as session:
        caller = session.keys.verify(credentials[len(SCHEME) :].strip())
    if caller is None:
        raise Unauthenticated
    return caller


def still_known(ledger: Ledger, caller: Caller) -> bool:
    """Whether the key or session of a request under way is good still; long answers ask, so that its end is theirs."""
    with ledger.system_session("gateway") as session:
        kept = session.sessions if caller.person else session.keys
        return kept.alive(caller.credential)


def lifetime(settings: Settings) -> Lifetime:
    return Lifetime(
        timedelta(minutes=settings.session_idle_min), timedelta(hours=settings.session_most_h)
    )
