"""Routes of signing in by an identity provider. Browsers open these routes, so a refusal leads to a
page and not to a problem response.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.api.dependencies import DependenciesDep
from services.api.session.errors import PROBLEMS
from services.api.session.oidc import OidcService
from services.api.session.router import TokenDep
from services.api.strict_requests import StrictRoute
from shared.errors import SeraError
from shared.ledger.people.oidc_states import STATE_LIFETIME

START = "/v1/session/oidc"
CALLBACK = f"{START}/callback"
SEE_OTHER = 303

router = APIRouter(route_class=StrictRoute, tags=["session"])


def oidc_service(dependencies: DependenciesDep, request: Request) -> OidcService:
    base_url = dependencies.origin_policy.base_url(request.base_url)
    return OidcService(dependencies, f"{base_url}{CALLBACK}")


OidcServiceDep = Annotated[OidcService, Depends(oidc_service)]
TextParameter = Annotated[str, Query(max_length=4000)]


@router.get(START, status_code=SEE_OTHER, response_class=RedirectResponse)
def start(service: OidcServiceDep, dependencies: DependenciesDep) -> Response:
    """Redirect the browser to the identity provider, if there is one."""
    try:
        redirect = service.start()
    except SeraError as error:
        return _refusal(error)
    answer = RedirectResponse(redirect.address, SEE_OTHER)
    dependencies.origin_policy.set_oidc_cookie(
        answer, redirect.browser_token, int(STATE_LIFETIME.total_seconds())
    )
    return answer


@router.get(CALLBACK, status_code=SEE_OTHER, response_class=RedirectResponse)
def finish(
    service: OidcServiceDep,
    dependencies: DependenciesDep,
    request: Request,
    previous_token: TokenDep,
    state: TextParameter = "",
    code: TextParameter = "",
) -> Response:
    """Finish a sign-in after the identity provider has redirected the browser here. The response
    sets the session cookie.
    """
    origin_policy = dependencies.origin_policy
    try:
        token = service.finish(
            state=state,
            code=code,
            browser_token=origin_policy.oidc_browser_token(request.headers),
            previous_token=previous_token,
        )
    except SeraError as error:
        answer = _refusal(error)
    else:
        answer = RedirectResponse("/", SEE_OTHER)
        origin_policy.set_session_cookie(answer, token)
    origin_policy.delete_oidc_cookie(answer)
    return answer


def _refusal(error: SeraError) -> Response:
    """Redirect to the sign-in page, which explains the error. If the page has no text for the
    error, the error is raised.
    """
    if error.code not in PROBLEMS:
        raise error
    return RedirectResponse(f"/sign-in?problem={error.code}", SEE_OTHER)
