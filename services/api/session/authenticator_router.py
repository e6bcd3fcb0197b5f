"""Turning an authenticator on and off."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.api.dependencies import CallerDep, DependenciesDep
from services.api.session.authenticator import AuthenticatorService
from services.api.session.schemas import Code, Removal, TotpBegun, TotpOn

router = APIRouter(prefix="/v1/session", tags=["session"])


def desk(dependencies: DependenciesDep, who: CallerDep) -> AuthenticatorService:
    return AuthenticatorService(dependencies, who)


DeskDep = Annotated[AuthenticatorService, Depends(desk)]


@router.post("/totp", status_code=201)
def begin(desk: DeskDep) -> TotpBegun:
    """Get a secret for an authenticator; it is asked for once a code of it was confirmed."""
    return desk.begin()


@router.post("/totp/confirm")
def confirm(told: Code, desk: DeskDep) -> TotpOn:
    """Turn the authenticator on, with a code that it shows. The answer is the only sight of the recovery codes."""
    return desk.confirm(told.code)


@router.post("/totp/remove", status_code=204)
async def remove(told: Removal, desk: DeskDep) -> None:
    """Turn the authenticator off, with the password and a code."""
    await desk.remove(told)
