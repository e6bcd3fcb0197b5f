"""Authenticates each request by its API key or its session, before the body is read.

If a request contains both, only the key counts: a program sends the header on purpose, but a
browser sends a cookie with every request.
"""

from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from services.api.middleware.body_limits import declared_bytes, has_body, refuse
from services.api.middleware.origin_policy import SAFE_METHODS, OriginPolicy
from services.api.middleware.transactions import Slot, Slots
from shared.cases.admission import Admission
from shared.domain.roles import PERMISSIONS, Permission
from shared.errors import Forbidden, SeraError, TooLarge, Unauthenticated
from shared.ledger import HospitalSession, Ledger, SystemSession, Transaction
from shared.ledger.db_role import translate_database_errors
from shared.ledger.hospitals.authentication import authenticate_key
from shared.ledger.hospitals.rate_limits import RateLimitStatus
from shared.ledger.hospitals.repository import Caller
from shared.ledger.people.sessions import Lifetime
from shared.settings import Settings

ACTOR = "gateway"
SCHEME = "bearer "
SESSION_PATH = "/v1/session"
PUBLIC_ROUTES = frozenset(
    {
        ("POST", SESSION_PATH),
        ("GET", f"{SESSION_PATH}/oidc"),
        ("GET", f"{SESSION_PATH}/oidc/callback"),
    }
)
"""Routes for callers who have not signed in yet."""
ONE_TIME_PASSWORD_ROUTES = frozenset(
    {
        ("GET", SESSION_PATH),
        ("DELETE", SESSION_PATH),
        ("POST", f"{SESSION_PATH}/password"),
    }
)
"""The only routes that a person with a one-time password may use."""
MAX_PUBLIC_BODY_BYTES = 16 * 1024

SUBMISSION = ("POST", "/v1/cases")


class PasswordChangeNeeded(Forbidden):
    code = "password-change-needed"
    text = (
        "Your password was for one time. Choose your own first: at /sign-in, or POST "
        "/v1/session/password."
    )


class PublicBodyTooLarge(TooLarge):
    text = (
        "Whoever signs in sends at most {limit_kib} KiB, and says beforehand how much "
        "(Content-Length)."
    )


class AuthenticationMiddleware:
    """Opens the transaction of each request, and authenticates the caller in it.

    A request that changes nothing continues in the same transaction. The transaction of a request
    that may have a body is committed first, so that no transaction stays open while the body
    arrives.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        ledger: Ledger,
        slots: Slots,
        origin_policy: OriginPolicy,
        session_lifetime: Lifetime,
        admission: Admission,
        prefix: str = "/v1/",
    ) -> None:
        self._app = app
        self._ledger = ledger
        self._slots = slots
        self._origin_policy = origin_policy
        self._session_lifetime = session_lifetime
        self._admission = admission
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        transaction = self._ledger.transaction()
        slot = self._slots.slot()
        scope.setdefault("state", {}).update(transaction=transaction, slot=slot)
        try:
            await self._authenticate_and_continue(transaction, scope, receive, send)
        finally:
            if transaction.is_open:
                await run_in_threadpool(transaction.rollback)
            slot.release()

    async def _authenticate_and_continue(
        self, transaction: Transaction, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if not scope["path"].startswith(self._prefix):
            return await self._app(scope, receive, send)
        try:
            caller = await self._authenticate(transaction, scope)
        except SeraError as error:
            if transaction.is_open:
                await run_in_threadpool(transaction.rollback)
            slot: Slot = scope["state"]["slot"]
            slot.release()  # reading the rest of a refused body may take a while
            return await refuse(error, scope, receive, send, drain=has_body(scope))
        scope["state"]["caller"] = caller
        log_fields = {}
        if caller is not None and caller.hospital_id is not None:
            log_fields["hospital"] = str(caller.hospital_id)
        with bound_contextvars(**log_fields):
            await self._app(scope, receive, send)

    async def _authenticate(
        self, transaction: Transaction, scope: Scope
    ) -> Caller | None:
        """Return the caller, or None on a public route."""
        method = scope["method"]
        route = (method, scope["path"])
        headers = Headers(scope=scope)
        if route in PUBLIC_ROUTES:
            self._check_public_request(scope, headers)
            return None
        has_key = "authorization" in headers
        if not has_key and self._origin_policy.session_token(headers) is None:
            raise Unauthenticated
        slot: Slot = scope["state"]["slot"]
        await slot.take()
        caller, rate_limit_status = await run_in_threadpool(
            self._verify, transaction, headers, route
        )
        if not transaction.is_open:
            slot.release()
        scope["state"]["rate_limit_status"] = rate_limit_status
        return caller

    def _check_public_request(self, scope: Scope, headers: Headers) -> None:
        """Raises PublicBodyTooLarge, CrossSite."""
        is_chunked = "transfer-encoding" in headers
        if declared_bytes(scope) > MAX_PUBLIC_BODY_BYTES or is_chunked:
            raise PublicBodyTooLarge(limit_kib=MAX_PUBLIC_BODY_BYTES // 1024)
        if scope["method"] not in SAFE_METHODS:
            self._origin_policy.refuse_cross_origin(headers)

    def _verify(
        self, transaction: Transaction, headers: Headers, route: tuple[str, str]
    ) -> tuple[Caller, RateLimitStatus | None]:
        """Return the caller and, for a submission, the state of its hospital's limits.

        Raises Unauthenticated, CrossSite, CsrfWrong, PasswordChangeNeeded, LimitReached.
        """
        credentials = headers.get("authorization")
        rate_limit_status = None
        with translate_database_errors():
            if credentials is not None:
                caller = authenticate_header(transaction, credentials)
            else:
                caller = self._authenticate_session(transaction, headers, route)
            if route[0] not in SAFE_METHODS:
                if route == SUBMISSION:
                    rate_limit_status = self._rate_limit_status(transaction, caller)
                transaction.commit()
        return caller, rate_limit_status

    def _rate_limit_status(
        self, transaction: Transaction, caller: Caller
    ) -> RateLimitStatus | None:
        """Refuse a submission that cannot be accepted before its body is read.

        Raises LimitReached.
        """
        if (
            caller.hospital_id is None
            or Permission.SUBMIT not in PERMISSIONS[caller.role]
        ):
            return None
        session = HospitalSession(transaction, caller.hospital_id, caller.actor)
        return self._admission.read_status(session)

    def _authenticate_session(
        self, transaction: Transaction, headers: Headers, route: tuple[str, str]
    ) -> Caller:
        """Raises Unauthenticated, CrossSite, CsrfWrong, PasswordChangeNeeded."""
        token = self._origin_policy.session_token(headers)
        if token is None:
            raise Unauthenticated
        sessions = SystemSession(transaction, ACTOR).sessions
        signed_in = sessions.verify(token, self._session_lifetime)
        if signed_in is None:
            raise Unauthenticated
        if route[0] not in SAFE_METHODS:
            self._origin_policy.check_csrf(headers, token)
        if signed_in.must_change and route not in ONE_TIME_PASSWORD_ROUTES:
            raise PasswordChangeNeeded
        return signed_in.caller


def authenticate_header(transaction: Transaction, credentials: str) -> Caller:
    """Return the caller whose key is in an Authorization header. Raises Unauthenticated."""
    if not credentials.lower().startswith(SCHEME):
        raise Unauthenticated
    key = credentials[len(SCHEME) :].strip()
    caller = authenticate_key(transaction, key)
    if caller is None:
        raise Unauthenticated
    return caller


def is_credential_valid(transaction: Transaction, caller: Caller) -> bool:
    """Return whether the key or session of a running request is still valid.

    Long responses check this repeatedly, so that they end together with the key or session.
    """
    session = SystemSession(transaction, ACTOR)
    credentials = session.sessions if caller.person else session.api_keys
    return credentials.is_active(caller.credential)


def session_lifetime(settings: Settings) -> Lifetime:
    return Lifetime(
        timedelta(minutes=settings.session_idle_min),
        timedelta(hours=settings.session_most_h),
    )
