"""Dependencies of routes: the caller and its permissions, database sessions and shared objects."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from services.api.audit.read_audit import ReadAudit
from services.api.jobs.notifications import JobChangeListener
from services.api.jobs.open_waits import OpenWaits
from services.api.middleware.origin_policy import SESSION_COOKIE, OriginPolicy
from services.api.middleware.transactions import Slot
from services.api.monitoring.memory import AnswerCache
from services.api.monitoring.probe import ReadinessProbe
from services.api.route_pools import RoutePools
from services.api.session.password_hasher import PasswordHasherPool
from services.api.session.provider import IdentityProvider
from shared.cases.accept import CaseAcceptance
from shared.cases.decoder_pool import DecoderPool
from shared.cases.deidentification import Deidentifier
from shared.cases.intake import ImageIntake
from shared.cases.kept_previews import KeptPreviews
from shared.cases.pace import Pace
from shared.domain.roles import (
    HOSPITAL_ROLES,
    PERMISSIONS,
    Permission,
    Role,
    roles_with,
)
from shared.errors import Forbidden
from shared.ledger import HospitalSession, Ledger, SystemSession, Transaction
from shared.ledger.hospitals.repository import Caller
from shared.ledger.idempotency.requests import IdempotentRequest
from shared.objects import ObjectStore
from shared.queueing import BackgroundNotifier
from shared.security.authenticators import Vault
from shared.settings import Settings


@dataclass(frozen=True)
class Dependencies:
    """The objects that `create_app` builds once and that all routes share."""

    settings: Settings
    ledger: Ledger
    counter_ledger: Ledger
    """A ledger with a few separate connections, for counts that are kept even if the request fails:
    sign-in attempts, queue and pace.
    """
    objects: ObjectStore
    notifier: BackgroundNotifier
    job_changes: JobChangeListener
    open_waits: OpenWaits
    pace: Pace
    acceptance: CaseAcceptance
    answer_cache: AnswerCache
    read_audit: ReadAudit
    deidentifier: Deidentifier
    intake: ImageIntake
    kept_previews: KeptPreviews
    decoder_pool: DecoderPool
    route_pools: RoutePools
    readiness: ReadinessProbe
    origin_policy: OriginPolicy
    password_hashers: PasswordHasherPool
    vault: Vault
    provider: IdentityProvider | None


def dependencies_of(request: Request) -> Dependencies:
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


DependenciesDep = Annotated[Dependencies, Depends(dependencies_of)]
BEARER = HTTPBearer(
    auto_error=False, description="An API key of one hospital, or of an operator."
)


SESSION = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    description="The session of a person who signed in (`__Host-sera` over TLS). A request that "
    "changes anything also needs the header `X-CSRF-Token` and an `Origin` of this server.",
)


def authenticated_caller(
    request: Request,
    _key: Annotated[object, Depends(BEARER)],
    _session: Annotated[object, Depends(SESSION)],
) -> Caller:
    """Return the caller that the request's key or session belongs to.

    AuthenticationMiddleware has already refused requests without a valid key or session.
    """
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(authenticated_caller)]


async def slot(request: Request) -> Slot:
    """Take the request's connection slot and return it. A request must take its slot before it uses
    its transaction.
    """
    request_slot: Slot = request.state.slot
    await request_slot.take()
    return request_slot


SlotDep = Annotated[Slot, Depends(slot)]


def transaction(request: Request, _slot: SlotDep) -> Transaction:
    """The request's transaction.

    Used by services that commit before slow work or that reserve their idempotency receipt
    themselves.
    """
    request_transaction: Transaction = request.state.transaction
    return request_transaction


TransactionDep = Annotated[Transaction, Depends(transaction)]


def idempotent_request(request: Request) -> IdempotentRequest | None:
    """Return the idempotency receipt of the request, or None if the request has no
    Idempotency-Key.
    """
    idempotent: IdempotentRequest | None = getattr(
        request.state, "idempotent_request", None
    )
    return idempotent


IdempotentRequestDep = Annotated[IdempotentRequest | None, Depends(idempotent_request)]


async def open_stream(
    caller: CallerDep, dependencies: DependenciesDep
) -> AsyncIterator[None]:
    """Count an event stream of the caller until it ends. Raises TooManyWaits."""
    with dependencies.open_waits.stream(caller.credential):
        yield


def hospital_id_of(caller: Caller) -> UUID:
    """Return the caller's hospital. Raises Forbidden if the caller belongs to none."""
    if caller.hospital_id is None:
        raise Forbidden(role=caller.role, needed=roles_with(Permission.READ))
    return caller.hospital_id


def system_session(
    transaction: TransactionDep, idempotent: IdempotentRequestDep, caller: CallerDep
) -> SystemSession:
    """Return a session over the data of all hospitals. Raises AlreadyAnswered for a repeated
    request.
    """
    if idempotent is not None:
        idempotent.reserve()
    return SystemSession(transaction, caller.actor)


def hospital_session(
    transaction: TransactionDep, idempotent: IdempotentRequestDep, caller: CallerDep
) -> HospitalSession:
    """Return a session over the data of the caller's hospital. Raises AlreadyAnswered for a
    repeated request.

    A route lists this dependency after the parameter that checks the caller's role, because that
    check refuses callers that belong to no hospital.
    """
    hospital_id = hospital_id_of(caller)
    if idempotent is not None:
        idempotent.reserve()
    return HospitalSession(transaction, hospital_id, caller.actor)


CallerSession = SystemSession | HospitalSession
"""A session over the data that a caller may see: the data of the caller's hospital, or of all
hospitals if the caller belongs to none.
"""


def session_of(transaction: Transaction, caller: Caller) -> CallerSession:
    if caller.hospital_id is None:
        return SystemSession(transaction, caller.actor)
    return HospitalSession(transaction, caller.hospital_id, caller.actor)


def caller_session(
    transaction: TransactionDep, idempotent: IdempotentRequestDep, caller: CallerDep
) -> CallerSession:
    """Return a session over the data that the caller may see.

    Raises AlreadyAnswered for a repeated request.
    """
    if idempotent is not None:
        idempotent.reserve()
    return session_of(transaction, caller)


SystemSessionDep = Annotated[SystemSession, Depends(system_session)]
HospitalSessionDep = Annotated[HospitalSession, Depends(hospital_session)]
CallerSessionDep = Annotated[CallerSession, Depends(caller_session)]


SYSTEM_ACTS = (
    Permission.OPERATE,
    Permission.RERUN,
    Permission.AUDIT,
    Permission.MONITOR,
    Permission.MANAGE_KEYS,
    Permission.MANAGE_PEOPLE,
)
"""Acts that are open to callers who belong to no hospital."""


def is_permitted(role: Role, act: Permission) -> bool:
    """Return whether a role permits an act in its scope (its hospital, or the whole system)."""
    return act in PERMISSIONS[role] and (role in HOSPITAL_ROLES or act in SYSTEM_ACTS)


def require_permission(act: Permission) -> Callable[[Caller], Caller]:
    """Build a dependency that refuses callers whose role does not permit `act`."""

    def check(caller: Annotated[Caller, Depends(authenticated_caller)]) -> Caller:
        if not is_permitted(caller.role, act):
            raise Forbidden(role=caller.role, needed=roles_with(act))
        return caller

    return check


Submitter = Annotated[Caller, Depends(require_permission(Permission.SUBMIT))]
HospitalReader = Annotated[Caller, Depends(require_permission(Permission.READ))]
Rerunner = Annotated[Caller, Depends(require_permission(Permission.RERUN))]
Operator = Annotated[Caller, Depends(require_permission(Permission.OPERATE))]
Auditor = Annotated[Caller, Depends(require_permission(Permission.AUDIT))]
Administrator = Annotated[Caller, Depends(require_permission(Permission.ADMINISTER))]
Monitor = Annotated[Caller, Depends(require_permission(Permission.MONITOR))]
KeyAdministrator = Annotated[
    Caller, Depends(require_permission(Permission.MANAGE_KEYS))
]
PeopleAdministrator = Annotated[
    Caller, Depends(require_permission(Permission.MANAGE_PEOPLE))
]
