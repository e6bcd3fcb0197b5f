"""What all pages share: the visitor, language and theme, rendering, and the error page."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, params
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from services.api.dependencies import (
    CallerSession,
    TransactionDep,
    dependencies_of,
    hospital_id_of,
    is_permitted,
    session_of,
)
from services.api.errors import validation_summary
from services.api.locales import (
    CURRENT_LANGUAGE,
    Language,
    preferred_language,
    sentence,
)
from services.api.middleware.authentication import (
    ACTOR,
    PasswordChangeNeeded,
    session_lifetime,
)
from services.api.middleware.origin_policy import csrf_token
from services.api.route_pools import RoutePool, RoutePools
from services.api.strict_requests import StrictRoute
from services.api.web.files import STATIC_URL
from services.api.web.languages import LANGUAGES, TRANSLATIONS, Translations
from services.api.web.navigation import permitted_entries
from services.api.web.tables import cards
from services.api.web.times import moment
from shared.domain.roles import Permission, roles_with
from shared.errors import Forbidden, InputError, SeraError, Unauthenticated, Unavailable
from shared.ledger import HospitalSession, SystemSession, Transaction
from shared.ledger.db_role import translate_database_errors
from shared.ledger.hospitals.repository import Caller
from shared.version import VERSION

PAGES = Jinja2Templates(directory=Path(__file__).parent / "templates")
PAGES.env.filters["cards"] = cards
PAGES.env.globals |= {"moment": moment, "static": STATIC_URL}
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Vary": "Accept-Language, Cookie",
}
THEMES = ("auto", "light", "dark")
LANGUAGE_COOKIE = "sera-language"
THEME_COOKIE = "sera-theme"
COOKIE_MAX_AGE_S = 365 * 24 * 3600
"""How long a browser stores the chosen language and theme."""


class QueryUnusable(InputError):
    code = "query-unusable"
    text = "This address cannot be used: {problem}. Open the page again from the menu."


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """The person who opens a page; `caller` is None before signing in."""

    caller: Caller | None
    csrf: str
    translations: Translations
    theme: str
    name: str = ""
    hospital: str | None = None

    @property
    def language(self) -> Language:
        return self.translations.language

    def may(self, act: Permission) -> bool:
        return self.caller is not None and is_permitted(self.caller.role, act)


@dataclass(frozen=True, kw_only=True)
class SignedInVisitor(Visitor):
    """A visitor who has signed in."""

    caller: Caller


def current_visitor(request: Request, transaction: TransactionDep) -> Visitor:
    """The visitor of the request, signed in or not."""
    dependencies = dependencies_of(request)
    token = dependencies.origin_policy.session_token(request.headers)
    if token is None:
        return _anonymous_visitor(request, csrf_token(""))
    session = SystemSession(transaction, ACTOR)
    verified = session.sessions.verify(token, session_lifetime(dependencies.settings))
    if verified is None or verified.must_change or verified.caller.person is None:
        return _anonymous_visitor(request, csrf_token(token))
    person = session.people.find(verified.caller.person)
    hospital = (
        session.hospitals.read(person.hospital_id) if person.hospital_id else None
    )
    return SignedInVisitor(
        caller=verified.caller,
        csrf=csrf_token(token),
        translations=_translations(request),
        theme=_theme(request),
        name=person.name,
        hospital=hospital.name if hospital else None,
    )


def _anonymous_visitor(request: Request, csrf: str) -> Visitor:
    return Visitor(
        caller=None,
        csrf=csrf,
        translations=_translations(request),
        theme=_theme(request),
    )


def require_sign_in(
    act: Permission | None = None,
) -> Callable[[Visitor], SignedInVisitor]:
    """A dependency that admits people with this permission; None admits all who have signed in."""

    def check(visitor: Annotated[Visitor, Depends(current_visitor)]) -> SignedInVisitor:
        if not isinstance(visitor, SignedInVisitor):
            raise Unauthenticated
        if act is not None and not visitor.may(act):
            raise Forbidden(role=visitor.caller.role, needed=roles_with(act))
        return visitor

    return check


VisitorDep = Annotated[Visitor, Depends(current_visitor)]
PagePerson = Annotated[SignedInVisitor, Depends(require_sign_in())]


@dataclass(frozen=True)
class HeldPagePlace:
    """A dependency that holds a place of the pool for the visitor's hospital."""

    pool: RoutePool

    async def __call__(
        self, request: Request, visitor: PagePerson
    ) -> AsyncIterator[None]:
        pools: RoutePools = dependencies_of(request).route_pools
        async with pools.place(self.pool, visitor.caller.hospital_id, request):
            yield


def hold_page_place(pool: RoutePool) -> params.Depends:
    """What a costly page lists among its `dependencies`."""
    return params.Depends(HeldPagePlace(pool))


def page_hospital_session(
    transaction: TransactionDep, visitor: PagePerson
) -> HospitalSession:
    """The page's transaction, limited to the visitor's hospital.

    The visitor's permission is checked by a parameter that precedes this one.
    """
    return HospitalSession(
        transaction, hospital_id_of(visitor.caller), visitor.caller.actor
    )


def page_system_session(
    transaction: TransactionDep, visitor: PagePerson
) -> SystemSession:
    """The page's transaction over all hospitals.

    The visitor's permission is checked by a parameter that precedes this one.
    """
    return SystemSession(transaction, visitor.caller.actor)


def page_caller_session(
    transaction: TransactionDep, visitor: PagePerson
) -> CallerSession:
    """The page's transaction, limited to the data that the visitor may see."""
    return session_of(transaction, visitor.caller)


PageHospitalSessionDep = Annotated[HospitalSession, Depends(page_hospital_session)]
PageSystemSessionDep = Annotated[SystemSession, Depends(page_system_session)]
PageCallerSessionDep = Annotated[CallerSession, Depends(page_caller_session)]
PageReader = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.READ))]
PageSubmitter = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.SUBMIT))]
PageAdministrator = Annotated[
    SignedInVisitor, Depends(require_sign_in(Permission.ADMINISTER))
]
PageOperator = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.OPERATE))]
PageAuditor = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.AUDIT))]
PageMonitor = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.MONITOR))]
PageKeyManager = Annotated[
    SignedInVisitor, Depends(require_sign_in(Permission.MANAGE_KEYS))
]
PagePeopleManager = Annotated[
    SignedInVisitor, Depends(require_sign_in(Permission.MANAGE_PEOPLE))
]


def render(
    request: Request,
    visitor: Visitor,
    template: str,
    status: int = 200,
    /,
    **facts: object,
) -> HTMLResponse:
    """A page in the visitor's language and theme; `facts` are the variables of the template."""
    shared = {
        "t": visitor.translations,
        "visitor": visitor,
        "entries": permitted_entries(visitor.caller),
        "languages": LANGUAGES,
        "themes": THEMES,
        "version": VERSION,
    }
    response = PAGES.TemplateResponse(
        request=request,
        name=template,
        context=shared | facts,
        status_code=status,
        headers=HEADERS,
    )
    _store_preferences(request, response)
    return response


class PageRoute(StrictRoute):
    """Answers an error with an error page, and sends a visitor who is not signed in to sign in.

    Texts of the API on the page are in the page's language, whatever the browser prefers.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            CURRENT_LANGUAGE.set(_translations(request).language)
            try:
                with translate_database_errors():
                    return await inner(request)
            except (Unauthenticated, PasswordChangeNeeded):
                next_url = quote(_current_url(request))
                return RedirectResponse(f"/sign-in?next={next_url}", 303)
            except SeraError as error:
                return await run_in_threadpool(_problem_page, request, error)
            except RequestValidationError as error:
                problem = validation_summary(error.errors())
                unusable = QueryUnusable(problem=problem)
                return await run_in_threadpool(_problem_page, request, unusable)

        return handle


def page_router() -> APIRouter:
    """A router of pages."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)


def _problem_page(request: Request, error: SeraError) -> HTMLResponse:
    """The error page. The request's transaction is rolled back first, as it may have failed."""
    transaction: Transaction = request.state.transaction
    transaction.rollback()
    visitor = _anonymous_visitor(request, csrf_token(""))
    if not isinstance(error, Unavailable):
        with suppress(Unavailable), translate_database_errors():
            visitor = current_visitor(request, transaction)
    message = sentence(error.code, error.facts, str(error), visitor.language)
    return render(
        request,
        visitor,
        "problem.html",
        error.status,
        code=error.code,
        message=message.text,
    )


def _current_url(request: Request) -> str:
    """Path and query of the request."""
    if not request.url.query:
        return request.url.path
    return f"{request.url.path}?{request.url.query}"


def _translations(request: Request) -> Translations:
    code = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    if code in LANGUAGES:
        return TRANSLATIONS[Language(code)]
    accepted = request.headers.get("accept-language", "")
    return TRANSLATIONS[preferred_language(accepted)]


def _theme(request: Request) -> str:
    theme = request.query_params.get("theme") or request.cookies.get(THEME_COOKIE)
    return theme if theme in THEMES else THEMES[0]


def _store_preferences(request: Request, response: Response) -> None:
    """Put a language or theme of the address into a cookie."""
    secure = dependencies_of(request).origin_policy.is_tls
    for parameter, cookie, values in (
        ("lang", LANGUAGE_COOKIE, LANGUAGES),
        ("theme", THEME_COOKIE, THEMES),
    ):
        value = request.query_params.get(parameter)
        if value is not None and value in values:
            response.set_cookie(
                key=cookie,
                value=value,
                max_age=COOKIE_MAX_AGE_S,
                path="/",
                secure=secure,
                httponly=True,
                samesite="lax",
            )
