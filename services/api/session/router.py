"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.api.dependencies import CallerDep, DependenciesDep, SystemSessionDep
from services.api.session.schemas import NewPassword, SignIn, CallerView
from services.api.session.service import OpenedSession, SessionService

router = APIRouter(prefix="/v1", tags=["session"])


def session_service(dependencies: DependenciesDep) -> SessionService:
    return SessionService(dependencies)


def token(request: Request, dependencies: DependenciesDep) -> str | None:
    """That of the session whose cookie came."""
    return dependencies.origin_policy.session_token(request.headers)


SessionServiceDep = Annotated[SessionService, Depends(session_service)]
TokenDep = Annotated[str | None, Depends(token)]


@router.post("/session", status_code=201)
async def sign_in(
    credentials: SignIn,
    service: SessionServiceDep,
    dependencies: DependenciesDep,
    before: TokenDep,
    answer: Response,
) -> CallerView:
    """Sign in with a name and a password; the session comes as a cookie. Programs use keys instead."""
    return _kept(await service.sign_in(credentials, before), dependencies, answer)


@router.get("/session")
def who_am_i(
    service: SessionServiceDep,
    session: SystemSessionDep,
    caller: CallerDep,
    token: TokenDep,
) -> CallerView:
    """Whom this key or session speaks for."""
    return service.who(session, caller, token)


@router.delete("/session", status_code=204)
def sign_out(
    service: SessionServiceDep,
    session: SystemSessionDep,
    caller: CallerDep,
    dependencies: DependenciesDep,
    answer: Response,
) -> None:
    """End this session now."""
    service.sign_out(session, caller)
    dependencies.origin_policy.delete_session_cookie(answer)


@router.post("/session/password")
async def change_password(
    passwords: NewPassword,
    service: SessionServiceDep,
    caller: CallerDep,
    dependencies: DependenciesDep,
    answer: Response,
) -> CallerView:
    """Change your own password. All your sessions end, and this one goes on under a new cookie and CSRF token."""
    return _kept(await service.change_password(caller, passwords), dependencies, answer)


def _kept(opened: OpenedSession, dependencies: DependenciesDep, answer: Response) -> CallerView:
    dependencies.origin_policy.set_session_cookie(answer, opened.token)
    return opened.who
