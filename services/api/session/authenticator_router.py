"""Routes that turn an authenticator on and off."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.api.dependencies import CallerDep, DependenciesDep
from services.api.session.authenticator import AuthenticatorService
from services.api.session.schemas import Code, Removal, TotpBegun, TotpOn
from services.api.strict_requests import StrictRoute

router = APIRouter(route_class=StrictRoute, prefix="/v1/session", tags=["session"])


def authenticator_service(
    dependencies: DependenciesDep, caller: CallerDep
) -> AuthenticatorService:
    return AuthenticatorService(dependencies, caller)


AuthenticatorServiceDep = Annotated[
    AuthenticatorService, Depends(authenticator_service)
]


@router.post("/totp", status_code=201)
def begin(service: AuthenticatorServiceDep) -> TotpBegun:
    """Return a secret for an authenticator. Sign-in requires its codes only after one code was
    confirmed.
    """
    return service.begin()


@router.post("/totp/confirm")
def confirm(body: Code, service: AuthenticatorServiceDep) -> TotpOn:
    """Turn the authenticator on with a code that it shows. Only this response contains the recovery
    codes.
    """
    return service.confirm(body.code)


@router.post("/totp/remove", status_code=204)
async def remove(body: Removal, service: AuthenticatorServiceDep) -> None:
    """Turn the authenticator off with the password and a code."""
    await service.remove(body)
