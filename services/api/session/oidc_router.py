"""Signing in by a provider of identities. Browsers come here, so a refusal is a page and not a problem."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.api.dependencies import DependenciesDep
from services.api.session.errors import PROBLEMS
from services.api.session.oidc import OidcService
from services.api.session.router import TokenDep
from shared.errors import SeraError
from shared.ledger.people.oidc_states import GOOD_FOR

START = "/v1/session/oidc"
BACK = f"{START}/callback"
SEE_OTHER = 303

router = APIRouter(tags=["session"])


def desk(dependencies: DependenciesDep, request: Request) -> OidcService:
    return OidcService(dependencies, f"{dependencies.origin_policy.base_url(request.base_url)}{BACK}")


DeskDep = Annotated[OidcService, Depends(desk)]
Word = Annotated[str, Query(max_length=4000)]


@router.get(START, status_code=SEE_OTHER, response_class=RedirectResponse)
def start(desk: DeskDep, dependencies: DependenciesDep) -> Response:
    """Send the browser to the provider of identities, if there is one."""
    try:
        departure = desk.start()
    except SeraError as error:
        return _refused(error)
    answer = RedirectResponse(departure.address, SEE_OTHER)
    dependencies.origin_policy.set_oidc_cookie(answer, departure.browser, int(GOOD_FOR.total_seconds()))
    return answer


@router.get(BACK, status_code=SEE_OTHER, response_class=RedirectResponse)
def finish(
    desk: DeskDep,
    dependencies: DependenciesDep,
    request: Request,
    before: TokenDep,
    state: Word = "",
    code: Word = "",
) -> Response:
    """Where the provider sends the browser back to; the session comes as a cookie."""
    try:
        token = desk.finish(state, code, dependencies.origin_policy.oidc_browser_token(request.headers), before)
    except SeraError as error:
        answer = _refused(error)
    else:
        answer = RedirectResponse("/", SEE_OTHER)
        dependencies.origin_policy.set_session_cookie(answer, token)
    dependencies.origin_policy.delete_oidc_cookie(answer)
    return answer


def _refused(error: SeraError) -> Response:
    """Back to the sign-in page, which says why; what it cannot say is a problem like any other."""
    if error.code not in PROBLEMS:
        raise error
    return RedirectResponse(f"/sign-in?problem={error.code}", SEE_OTHER)
