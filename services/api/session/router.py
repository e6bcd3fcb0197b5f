"""Routes of signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.api.dependencies import CallerDep, DependenciesDep, SystemSessionDep
from services.api.session.schemas import CallerView, NewPassword, SignIn
from services.api.session.service import OpenedSession, SessionService
from services.api.strict_requests import StrictRoute

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["session"])


def session_service(dependencies: DependenciesDep) -> SessionService:
    return SessionService(dependencies)


def token(request: Request, dependencies: DependenciesDep) -> str | None:
    """Return the token of the session cookie, or None if the request has no session cookie."""
    return dependencies.origin_policy.session_token(request.headers)


SessionServiceDep = Annotated[SessionService, Depends(session_service)]
TokenDep = Annotated[str | None, Depends(token)]


@router.post("/session", status_code=201)
async def sign_in(
    credentials: SignIn,
    service: SessionServiceDep,
    dependencies: DependenciesDep,
    previous_token: TokenDep,
    answer: Response,
) -> CallerView:
    """Sign in with a name and a password. The response sets a session cookie. Programs use API keys
    instead.
    """
    opened = await service.sign_in(credentials, previous_token)
    return _set_cookie(opened, dependencies, answer)


@router.get("/session")
def who_am_i(
    service: SessionServiceDep,
    session: SystemSessionDep,
    caller: CallerDep,
    token: TokenDep,
) -> CallerView:
    """Return the person or key that this request is authenticated as."""
    return service.caller_view(session, caller, token)


@router.delete("/session", status_code=204)
def sign_out(
    service: SessionServiceDep,
    session: SystemSessionDep,
    caller: CallerDep,
    dependencies: DependenciesDep,
    answer: Response,
) -> None:
    """End this session immediately."""
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
    """Change your own password. All your sessions end; this one continues with a new cookie and
    CSRF token.
    """
    opened = await service.change_password(caller, passwords)
    return _set_cookie(opened, dependencies, answer)


def _set_cookie(
    opened: OpenedSession, dependencies: DependenciesDep, answer: Response
) -> CallerView:
    dependencies.origin_policy.set_session_cookie(answer, opened.token)
    return opened.caller
