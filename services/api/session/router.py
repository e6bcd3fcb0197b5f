"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.api.dependencies import Known, WiringDep
from services.api.session.schemas import NewPassword, SignIn, WhoView
from services.api.session.service import Opened, SessionDesk

router = APIRouter(prefix="/v1", tags=["session"])


def desk(wired: WiringDep) -> SessionDesk:
    return SessionDesk(wired)


def token(request: Request, wired: WiringDep) -> str | None:
    """That of the session whose cookie came."""
    return wired.site.token(request.headers)


SessionDeskDep = Annotated[SessionDesk, Depends(desk)]
TokenDep = Annotated[str | None, Depends(token)]


@router.post("/session", status_code=201)
async def sign_in(
    told: SignIn, desk: SessionDeskDep, wired: WiringDep, before: TokenDep, answer: Response
) -> WhoView:
    """Sign in with a name and a password; the session comes as a cookie. Programs use keys instead."""
    return _kept(await desk.sign_in(told, before), wired, answer)


@router.get("/session")
def who_am_i(desk: SessionDeskDep, who: Known, held: TokenDep) -> WhoView:
    """Whom this key or session speaks for."""
    return desk.who(who, held)


@router.delete("/session", status_code=204)
def sign_out(desk: SessionDeskDep, who: Known, wired: WiringDep, answer: Response) -> None:
    """End this session now."""
    desk.sign_out(who)
    wired.site.forget(answer)


@router.post("/session/password")
async def change_password(
    told: NewPassword, desk: SessionDeskDep, who: Known, wired: WiringDep, answer: Response
) -> WhoView:
    """Change your own password. All your sessions end, and this one goes on under a new cookie and CSRF token."""
    return _kept(await desk.change_password(who, told), wired, answer)


def _kept(opened: Opened, wired: WiringDep, answer: Response) -> WhoView:
    wired.site.keep(answer, opened.token)
    return opened.who
