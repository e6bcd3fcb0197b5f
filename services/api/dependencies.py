"""The nouns that routes ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from services.api.audit.read_audit import ReadAudit
from services.api.decoder_pool import DecoderPool
from services.api.jobs.notifications import JobWatch
from services.api.middleware.origin_policy import COOKIE, Site
from services.api.middleware.transactions import Slot
from services.api.monitoring.memory import AnswerCache
from services.api.session.password_hasher import Bench
from services.api.session.provider import Provider
from shared.cases.accept import CaseAcceptance
from shared.cases.deidentification import Deidentifier
from shared.cases.pace import Pace
from shared.domain.roles import HOSPITAL_ROLES, MAY, Act, Role, needed_for
from shared.errors import Forbidden
from shared.ledger import HospitalSession, Ledger, SystemSession, Transaction
from shared.ledger.hospitals.repository import Caller
from shared.ledger.idempotency.requests import IdempotentRequest
from shared.objects import ObjectStore
from shared.queueing import Doorbell
from shared.security.authenticators import Vault
from shared.settings import Settings


@dataclass(frozen=True)
class Wiring:
    """What `create_app` put together, for the routes to use."""

    settings: Settings
    ledger: Ledger
    counters: Ledger
    """A few connections of its own for what counts whatever becomes of a request: tries to sign in, queue and pace."""
    objects: ObjectStore
    doorbell: Doorbell
    watch: JobWatch
    pace: Pace
    acceptance: CaseAcceptance
    answer_cache: AnswerCache
    read_audit: ReadAudit
    deidentifier: Deidentifier
    decoder_pool: DecoderPool
    site: Site
    bench: Bench
    vault: Vault
    provider: Provider | None


def wiring(request: Request) -> Wiring:
    its: Wiring = request.app.state.wiring
    return its


WiringDep = Annotated[Wiring, Depends(wiring)]
BEARER = HTTPBearer(
    auto_error=False, description="An API key of one hospital, or of an operator."
)


SESSION = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    description="The session of a person who signed in (`__Host-sera` behind TLS). What changes anything also needs "
    "the header `X-CSRF-Token` and an `Origin` of our own.",
)


def caller(
    request: Request,
    _key: Annotated[object, Depends(BEARER)],
    _session: Annotated[object, Depends(SESSION)],
) -> Caller:
    """Whom the request's key or session speaks for; others were refused by AuthenticationMiddleware."""
    its: Caller = request.state.caller
    return its


Known = Annotated[Caller, Depends(caller)]


async def slot(request: Request) -> Slot:
    """Held from here on, so that the transaction can be used."""
    held: Slot = request.state.slot
    await held.take()
    return held


SlotDep = Annotated[Slot, Depends(slot)]


def transaction(request: Request, _slot: SlotDep) -> Transaction:
    """The request's; for a service that commits before slow work, or reserves its receipt itself."""
    its: Transaction = request.state.transaction
    return its


TransactionDep = Annotated[Transaction, Depends(transaction)]


def idempotent_request(request: Request) -> IdempotentRequest | None:
    """The receipt of a request that came with an Idempotency-Key."""
    its: IdempotentRequest | None = getattr(request.state, "idempotent_request", None)
    return its


IdempotentRequestDep = Annotated[IdempotentRequest | None, Depends(idempotent_request)]


def hospital_of(who: Caller) -> UUID:
    """Raises Forbidden for those who belong to none."""
    if who.hospital_id is None:
        raise Forbidden(role=who.role, needed=needed_for(Act.READ))
    return who.hospital_id


def system_session(
    transaction: TransactionDep, idempotent: IdempotentRequestDep, who: Known
) -> SystemSession:
    """The request's transaction over every hospital. Raises Answered for a repeat."""
    if idempotent is not None:
        idempotent.reserve()
    return SystemSession(transaction, who.actor)


def hospital_session(
    transaction: TransactionDep, idempotent: IdempotentRequestDep, who: Known
) -> HospitalSession:
    """The request's transaction within the caller's hospital. Raises Answered for a repeat.

    It comes after the parameter that checks the caller's role: who belongs to no hospital is refused there.
    """
    hospital_id = hospital_of(who)
    if idempotent is not None:
        idempotent.reserve()
    return HospitalSession(transaction, hospital_id, who.actor)


CallerSession = SystemSession | HospitalSession
"""What a caller may see: its own hospital, or every hospital for those who belong to none."""


def session_of(transaction: Transaction, caller: Caller) -> CallerSession:
    if caller.hospital_id is None:
        return SystemSession(transaction, caller.actor)
    return HospitalSession(transaction, caller.hospital_id, caller.actor)


def caller_session(
    transaction: TransactionDep, idempotent: IdempotentRequestDep, who: Known
) -> CallerSession:
    """The request's transaction over what the caller may see. Raises Answered for a repeat."""
    if idempotent is not None:
        idempotent.reserve()
    return session_of(transaction, who)


SystemSessionDep = Annotated[SystemSession, Depends(system_session)]
HospitalSessionDep = Annotated[HospitalSession, Depends(hospital_session)]
CallerSessionDep = Annotated[CallerSession, Depends(caller_session)]


ABROAD = (
    Act.OPERATE,
    Act.RERUN,
    Act.AUDIT,
    Act.MONITOR,
    Act.MANAGE_KEYS,
    Act.MANAGE_PEOPLE,
)
"""What may be done by those who belong to no hospital."""


def may(role: Role, act: Act) -> bool:
    """Whether this role may do it where it belongs: in its hospital, or in the house."""
    return act in MAY[role] and (role in HOSPITAL_ROLES or act in ABROAD)


def allowed(act: Act) -> Callable[[Caller], Caller]:
    """A dependency that lets only roles through that may do this."""

    def check(who: Annotated[Caller, Depends(caller)]) -> Caller:
        if not may(who.role, act):
            raise Forbidden(role=who.role, needed=needed_for(act))
        return who

    return check


Submitter = Annotated[Caller, Depends(allowed(Act.SUBMIT))]
HospitalReader = Annotated[Caller, Depends(allowed(Act.READ))]
Rerunner = Annotated[Caller, Depends(allowed(Act.RERUN))]
Operator = Annotated[Caller, Depends(allowed(Act.OPERATE))]
Auditor = Annotated[Caller, Depends(allowed(Act.AUDIT))]
Administrator = Annotated[Caller, Depends(allowed(Act.ADMINISTER))]
Monitor = Annotated[Caller, Depends(allowed(Act.MONITOR))]
KeyKeeper = Annotated[Caller, Depends(allowed(Act.MANAGE_KEYS))]
PersonKeeper = Annotated[Caller, Depends(allowed(Act.MANAGE_PEOPLE))]
