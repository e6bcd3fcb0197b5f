"""Learns whom a request speaks for, by its key or its session, and refuses strangers before a body is read.

Where both are sent the key is looked at and the session is not: a header is sent on purpose, a cookie by habit.
"""

from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from services.api.middleware.body_limits import declared_bytes, has_body, refuse
from services.api.middleware.origin_policy import SAFE, Site
from services.api.middleware.transactions import Slot, Slots
from shared.cases.admission import Admission
from shared.domain.roles import MAY, Act
from shared.errors import Forbidden, SeraError, TooLarge, Unauthenticated
from shared.ledger import HospitalSession, Ledger, SystemSession, Transaction
from shared.ledger.db_role import reachable
from shared.ledger.hospitals.authentication import authenticate_key
from shared.ledger.hospitals.rate_limits import Standing
from shared.ledger.hospitals.repository import Caller
from shared.ledger.people.sessions import Lifetime
from shared.settings import Settings

ACTOR = "gateway"
SCHEME = "bearer "
SESSION = "/v1/session"
OPEN = frozenset(
    {("POST", SESSION), ("GET", f"{SESSION}/oidc"), ("GET", f"{SESSION}/oidc/callback")}
)
"""Routes for those who have not signed in yet."""
UNCHANGED = frozenset(
    {("GET", SESSION), ("DELETE", SESSION), ("POST", f"{SESSION}/password")}
)
"""What may be done with a one-time password."""
STRANGERS_BYTES = 16 * 1024

SUBMISSION = ("POST", "/v1/cases")


class PasswordChangeNeeded(Forbidden):
    code = "password-change-needed"
    text = "Your password was for one time. Choose your own first: at /sign-in, or POST /v1/session/password."


class StrangerTooLarge(TooLarge):
    text = "Whoever signs in sends at most {limit_kib} KiB, and says beforehand how much (Content-Length)."


class AuthenticationMiddleware:
    """Opens the transaction of each request, and verifies in it who calls.

    A request that changes nothing goes on in the same transaction. One that may have a body commits first, so that no
    transaction stays open while the body arrives.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        ledger: Ledger,
        slots: Slots,
        site: Site,
        lifetime: Lifetime,
        admission: Admission,
        prefix: str = "/v1/",
    ) -> None:
        self._app = app
        self._ledger = ledger
        self._slots = slots
        self._site = site
        self._lifetime = lifetime
        self._admission = admission
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        transaction = self._ledger.transaction()
        slot = self._slots.slot()
        scope.setdefault("state", {}).update(transaction=transaction, slot=slot)
        try:
            await self._authenticated(transaction, scope, receive, send)
        finally:
            if transaction.is_open:
                await run_in_threadpool(transaction.rollback)
            slot.release()

    async def _authenticated(
        self, transaction: Transaction, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if not scope["path"].startswith(self._prefix):
            return await self._app(scope, receive, send)
        try:
            caller = await self._caller(transaction, scope)
        except SeraError as error:
            if transaction.is_open:
                await run_in_threadpool(transaction.rollback)
            slot: Slot = scope["state"]["slot"]
            slot.release()  # the rest of a refused body may take its time
            return await refuse(error, scope, receive, send, has_body(scope))
        scope["state"]["caller"] = caller
        facts = (
            {"hospital": str(caller.hospital_id)}
            if caller and caller.hospital_id
            else {}
        )
        with bound_contextvars(**facts):
            await self._app(scope, receive, send)

    async def _caller(self, transaction: Transaction, scope: Scope) -> Caller | None:
        """None where a route is open to strangers."""
        route = (scope["method"], scope["path"])
        headers = Headers(scope=scope)
        if route in OPEN:
            if (
                declared_bytes(scope) > STRANGERS_BYTES
                or "transfer-encoding" in headers
            ):
                raise StrangerTooLarge(limit_kib=STRANGERS_BYTES // 1024)
            if route[0] not in SAFE:
                self._site.refuse_foreign(headers)
            return None
        if "authorization" not in headers and self._site.token(headers) is None:
            raise Unauthenticated
        slot: Slot = scope["state"]["slot"]
        await slot.take()
        caller, standing = await run_in_threadpool(
            self._verified, transaction, headers, route
        )
        if not transaction.is_open:
            slot.release()
        scope["state"]["standing"] = standing
        return caller

    def _verified(
        self, transaction: Transaction, headers: Headers, route: tuple[str, str]
    ) -> tuple[Caller, Standing | None]:
        """The caller and, for a submission, how its hospital stands.

        Raises Unauthenticated, CrossSite, CsrfWrong, PasswordChangeNeeded, TooMuch.
        """
        credentials = headers.get("authorization")
        standing = None
        with reachable():
            if credentials is not None:
                caller = by_key(transaction, credentials)
            else:
                caller = self._by_session(transaction, headers, route)
            if route[0] not in SAFE:
                if route == SUBMISSION:
                    standing = self._standing(transaction, caller)
                transaction.commit()
        return caller, standing

    def _standing(self, transaction: Transaction, caller: Caller) -> Standing | None:
        """Refuses a submission that could not be accepted before its body is read: raises TooMuch."""
        if caller.hospital_id is None or Act.SUBMIT not in MAY[caller.role]:
            return None
        session = HospitalSession(transaction, caller.hospital_id, caller.actor)
        return self._admission.standing(session)

    def _by_session(
        self, transaction: Transaction, headers: Headers, route: tuple[str, str]
    ) -> Caller:
        """Raises Unauthenticated, CrossSite, CsrfWrong, PasswordChangeNeeded."""
        token = self._site.token(headers)
        if token is None:
            raise Unauthenticated
        sessions = SystemSession(transaction, ACTOR).sessions
        signed_in = sessions.verify(token, self._lifetime)
        if signed_in is None:
            raise Unauthenticated
        if route[0] not in SAFE:
            self._site.check(headers, token)
        if signed_in.must_change and route not in UNCHANGED:
            raise PasswordChangeNeeded
        return signed_in.caller


def by_key(transaction: Transaction, credentials: str) -> Caller:
    """Whom an Authorization header speaks for (`Unauthenticated`)."""
    if not credentials.lower().startswith(SCHEME):
        raise Unauthenticated
    caller = authenticate_key(transaction, credentials[len(SCHEME) :].strip())
    if caller is None:
        raise Unauthenticated
    return caller


def still_valid(transaction: Transaction, caller: Caller) -> bool:
    """Whether the key or session of a request under way is good still; long answers ask, so that its end is theirs."""
    session = SystemSession(transaction, ACTOR)
    credentials = session.sessions if caller.person else session.keys
    return credentials.alive(caller.credential)


def lifetime(settings: Settings) -> Lifetime:
    return Lifetime(
        timedelta(minutes=settings.session_idle_min),
        timedelta(hours=settings.session_most_h),
    )
