"""What all pages share: who looks at them, in which language and light, and how they say that something went wrong."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
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
from services.api.errors import validation_summary as told
from services.api.locales import CURRENT_LANGUAGE as CALLERS
from services.api.locales import Language, preferred_language, sentence
from services.api.middleware.authentication import (
    ACTOR,
    PasswordChangeNeeded,
    session_lifetime,
)
from services.api.middleware.origin_policy import csrf_token
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
POLICY = "; ".join(
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
HEADERS = {"Content-Security-Policy": POLICY, "Vary": "Accept-Language, Cookie"}
THEMES = ("auto", "light", "dark")
LANGUAGE_COOKIE = "sera-language"
THEME_COOKIE = "sera-theme"
COOKIE_MAX_AGE_S = 365 * 24 * 3600
"""How long a browser keeps the language and the light that its person chose."""


class QueryUnusable(InputError):
    code = "query-unusable"
    text = "This address cannot be used: {problem}. Open the page anew from the menu."


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who looks at a page; `caller` is None before signing in."""

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
    """Somebody, signed in or not."""
    dependencies = dependencies_of(request)
    words = _words(request)
    theme = _theme(request)
    token = dependencies.origin_policy.session_token(request.headers)
    if token is None:
        return Visitor(caller=None, csrf=csrf_token(""), translations=words, theme=theme)
    session = SystemSession(transaction, ACTOR)
    verified = session.sessions.verify(token, session_lifetime(dependencies.settings))
    if verified is None or verified.must_change or verified.caller.person is None:
        return Visitor(caller=None, csrf=csrf_token(token), translations=words, theme=theme)
    person = session.people.find(verified.caller.person)
    hospital = (
        session.hospitals.read(person.hospital_id) if person.hospital_id else None
    )
    return SignedInVisitor(
        caller=verified.caller,
        csrf=csrf_token(token),
        translations=words,
        theme=theme,
        name=person.name,
        hospital=hospital.name if hospital else None,
    )


def require_sign_in(act: Permission | None = None) -> Callable[[Visitor], SignedInVisitor]:
    """A dependency that lets only people through who have signed in and may do this; None for all who signed in."""

    def check(visitor: Annotated[Visitor, Depends(current_visitor)]) -> SignedInVisitor:
        if not isinstance(visitor, SignedInVisitor):
            raise Unauthenticated
        if act is not None and not visitor.may(act):
            raise Forbidden(role=visitor.caller.role, needed=roles_with(act))
        return visitor

    return check


VisitorDep = Annotated[Visitor, Depends(current_visitor)]
PagePerson = Annotated[SignedInVisitor, Depends(require_sign_in())]


def page_hospital_session(
    transaction: TransactionDep, visitor: PagePerson
) -> HospitalSession:
    """The page's transaction within the visitor's hospital; it comes after the parameter that checks the visitor."""
    return HospitalSession(
        transaction, hospital_id_of(visitor.caller), visitor.caller.actor
    )


def page_system_session(
    transaction: TransactionDep, visitor: PagePerson
) -> SystemSession:
    """The page's transaction over every hospital; it comes after the parameter that checks the visitor."""
    return SystemSession(transaction, visitor.caller.actor)


def page_caller_session(
    transaction: TransactionDep, visitor: PagePerson
) -> CallerSession:
    """The page's transaction over what the visitor may see."""
    return session_of(transaction, visitor.caller)


PageHospitalSessionDep = Annotated[HospitalSession, Depends(page_hospital_session)]
PageSystemSessionDep = Annotated[SystemSession, Depends(page_system_session)]
PageCallerSessionDep = Annotated[CallerSession, Depends(page_caller_session)]
PageReader = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.READ))]
PageSubmitter = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.SUBMIT))]
PageAdministrator = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.ADMINISTER))]
PageOperator = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.OPERATE))]
PageAuditor = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.AUDIT))]
PageMonitor = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.MONITOR))]
PageKeyKeeper = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.MANAGE_KEYS))]
PagePersonKeeper = Annotated[SignedInVisitor, Depends(require_sign_in(Permission.MANAGE_PEOPLE))]


def show(
    request: Request,
    visitor: Visitor,
    template: str,
    status: int = 200,
    /,
    **facts: object,
) -> HTMLResponse:
    """A page in the visitor's language and light."""
    shared = {
        "t": visitor.translations,
        "visitor": visitor,
        "entries": permitted_entries(visitor.caller),
        "languages": LANGUAGES,
        "themes": THEMES,
        "version": VERSION,
    }
    answer = PAGES.TemplateResponse(
        request, template, shared | facts, status, headers=HEADERS
    )
    _keep(request, answer)
    return answer


class PageRoute(APIRoute):
    """A page says what went wrong as a page, and sends a stranger to sign in first.

    What the API says for it is said in the language of the page, whatever the browser prefers.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handled(request: Request) -> Response:
            CALLERS.set(_words(request).language)
            try:
                with translate_database_errors():
                    return await inner(request)
            except (Unauthenticated, PasswordChangeNeeded):
                return RedirectResponse(f"/sign-in?next={quote(_here(request))}", 303)
            except SeraError as error:
                return await run_in_threadpool(_problem, request, error)
            except RequestValidationError as error:
                unusable = QueryUnusable(problem=told(error.errors()))
                return await run_in_threadpool(_problem, request, unusable)

        return handled


def pages() -> APIRouter:
    """A router of pages."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)


def _problem(request: Request, error: SeraError) -> HTMLResponse:
    """In a transaction of its own: that of the request is undone, for it may have failed."""
    transaction: Transaction = request.state.transaction
    transaction.rollback()
    words = _words(request)
    theme = _theme(request)
    visitor = Visitor(caller=None, csrf=csrf_token(""), translations=words, theme=theme)
    if not isinstance(error, Unavailable):
        with suppress(Unavailable), translate_database_errors():
            visitor = current_visitor(request, transaction)
    said = sentence(error.code, error.facts, str(error), visitor.language)[0]
    return show(
        request, visitor, "problem.html", error.status, code=error.code, said=said
    )


def _here(request: Request) -> str:
    return (
        f"{request.url.path}?{request.url.query}"
        if request.url.query
        else request.url.path
    )


def _words(request: Request) -> Translations:
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return TRANSLATIONS[Language(chosen)]
    return TRANSLATIONS[preferred_language(request.headers.get("accept-language", ""))]


def _theme(request: Request) -> str:
    chosen = request.query_params.get("theme") or request.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else THEMES[0]


def _keep(request: Request, answer: Response) -> None:
    secure = dependencies_of(request).origin_policy.is_tls
    for name, cookie, known in (
        ("lang", LANGUAGE_COOKIE, LANGUAGES),
        ("theme", THEME_COOKIE, THEMES),
    ):
        chosen = request.query_params.get(name)
        if chosen is not None and chosen in known:
            answer.set_cookie(
                cookie,
                chosen,
                COOKIE_MAX_AGE_S,
                path="/",
                secure=secure,
                httponly=True,
                samesite="lax",
            )
