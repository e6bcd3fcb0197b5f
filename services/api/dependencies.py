"""The nouns that routes ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from services.api.admission import Admission
from services.api.audit.seen import Seen
from services.api.cleaning import Cleaner
from services.api.eyes import Eyes
from services.api.jobs.pace import Pace
from services.api.jobs.watch import JobWatch
from services.api.monitoring.memory import Memory
from services.api.session.bench import Bench
from services.api.session.provider import Provider
from services.api.site import COOKIE, Site
from shared.authenticators import Vault
from shared.domain.roles import HOSPITAL_ROLES, MAY, Act, Role, needed_for
from shared.errors import Forbidden
from shared.ledger import Ledger
from shared.ledger.hospitals import Caller
from shared.objects import ObjectStore
from shared.queueing import Doorbell
from shared.settings import Settings


@dataclass(frozen=True)
class Wiring:
    """What `create_app` put together, for the routes to use."""

    settings: Settings
    ledger: Ledger
    objects: ObjectStore
    doorbell: Doorbell
    watch: JobWatch
    pace: Pace
    admission: Admission
    memory: Memory
    seen: Seen
    cleaner: Cleaner
    eyes: Eyes
    site: Site
    bench: Bench
    vault: Vault
    provider: Provider | None


def wiring(request: Request) -> Wiring:
    return request.app.state.wiring


WiringDep = Annotated[Wiring, Depends(wiring)]
BEARER = HTTPBearer(auto_error=False, description="An API key of one hospital, or of an operator.")


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
    """Whom the request's key or session speaks for; the Doorman has turned others away."""
    return request.state.caller


Known = Annotated[Caller, Depends(caller)]


ABROAD = (Act.OPERATE, Act.RERUN, Act.AUDIT, Act.MONITOR, Act.MANAGE_KEYS, Act.MANAGE_PEOPLE)
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
