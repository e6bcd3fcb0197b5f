"""What all pages share: who looks at them, in which language and light, and how they say that something went wrong."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from fastapi.templating import Jinja2Templates
from starlette.responses import Response

from services.api.authentication import ACTOR, PasswordChangeNeeded, lifetime
from services.api.dependencies import TransactionDep, hospital_of, may, wiring
from services.api.errors import said as told
from services.api.languages import SPOKEN as CALLERS
from services.api.languages import Language, preferred, sentence
from services.api.site import csrf
from services.api.web.files import HERE
from services.api.web.languages import LANGUAGES, SPOKEN, Words
from services.api.web.navigation import entries
from services.api.web.tables import cards
from services.api.web.times import moment
from shared.domain.roles import Act, needed_for
from shared.errors import Forbidden, InputError, SeraError, Unauthenticated, Unavailable
from shared.ledger import HospitalSession, SystemSession, Transaction
from shared.ledger.db_role import reachable
from shared.ledger.hospitals import Caller
from shared.version import VERSION

PAGES = Jinja2Templates(directory=Path(__file__).parent / "templates")
PAGES.env.filters["cards"] = cards
PAGES.env.globals |= {"moment": moment, "static": HERE}
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
LANGUAGE_COOKIE, THEME_COOKIE = "sera-language", "sera-theme"
KEPT_S = 365 * 24 * 3600
"""How long a browser keeps the language and the light that its person chose."""


class QueryUnusable(InputError):
    code = "query-unusable"
    text = "This address cannot be used: {problem}. Open the page anew from the menu."


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page; `caller` is None before signing in."""

    caller: Caller | None
    name: str
    hospital: str | None
    csrf: str
    words: Words
    theme: str

    @property
    def language(self) -> str:
        return self.words.language

    def may(self, act: Act) -> bool:
        return self.caller is not None and may(self.caller.role, act)


def anyone(request: Request, transaction: TransactionDep) -> Visitor:
    """Somebody, signed in or not."""
    wired = wiring(request)
    token = wired.site.token(request.headers)
    caller, name, hospital = None, "", None
    if token is not None:
        session = SystemSession(transaction, ACTOR)
        signed_in = session.sessions.verify(token, lifetime(wired.settings))
        if signed_in and signed_in.caller.person and not signed_in.must_change:
            caller = signed_in.caller
            person = session.people.find(signed_in.caller.person)
            name = person.name
            if person.hospital_id:
                hospital = session.hospitals.read(person.hospital_id).name
    return Visitor(caller, name, hospital, csrf(token or ""), _words(request), _theme(request))


def signed_in(visitor: Visitor) -> Caller:
    """Whom a page that needs a person speaks for. Raises Unauthenticated."""
    if visitor.caller is None:
        raise Unauthenticated
    return visitor.caller


def visitor(act: Act | None = None) -> Callable[[Visitor], Visitor]:
    """A dependency that lets only people through who have signed in and may do this; None for all who signed in."""

    def check(found: Annotated[Visitor, Depends(anyone)]) -> Visitor:
        if found.caller is None:
            raise Unauthenticated
        if act is not None and not found.may(act):
            raise Forbidden(role=found.caller.role, needed=needed_for(act))
        return found

    return check


Anyone = Annotated[Visitor, Depends(anyone)]


def page_hospital_session(transaction: TransactionDep, visitor: Anyone) -> HospitalSession:
    """The page's transaction within the visitor's hospital; it comes after the parameter that checks the visitor."""
    caller = signed_in(visitor)
    return HospitalSession(transaction, hospital_of(caller), caller.actor)


def page_system_session(transaction: TransactionDep, visitor: Anyone) -> SystemSession:
    """The page's transaction over every hospital; it comes after the parameter that checks the visitor."""
    return SystemSession(transaction, signed_in(visitor).actor)


PageHospitalSessionDep = Annotated[HospitalSession, Depends(page_hospital_session)]
PageSystemSessionDep = Annotated[SystemSession, Depends(page_system_session)]
PagePerson = Annotated[Visitor, Depends(visitor())]
PageReader = Annotated[Visitor, Depends(visitor(Act.READ))]
PageSubmitter = Annotated[Visitor, Depends(visitor(Act.SUBMIT))]
PageAdministrator = Annotated[Visitor, Depends(visitor(Act.ADMINISTER))]
PageOperator = Annotated[Visitor, Depends(visitor(Act.OPERATE))]
PageAuditor = Annotated[Visitor, Depends(visitor(Act.AUDIT))]
PageMonitor = Annotated[Visitor, Depends(visitor(Act.MONITOR))]
PageKeyKeeper = Annotated[Visitor, Depends(visitor(Act.MANAGE_KEYS))]
PagePersonKeeper = Annotated[Visitor, Depends(visitor(Act.MANAGE_PEOPLE))]


def show(
    request: Request, visitor: Visitor, template: str, status: int = 200, **facts: Any
) -> HTMLResponse:
    """A page in the visitor's language and light."""
    shared = {
        "t": visitor.words,
        "visitor": visitor,
        "entries": entries(visitor.caller),
        "languages": LANGUAGES,
        "themes": THEMES,
        "version": VERSION,
    }
    answer = PAGES.TemplateResponse(request, template, shared | facts, status, headers=HEADERS)
    _keep(request, answer)
    return answer


class PageRoute(APIRoute):
    """A page says what went wrong as a page, and sends a stranger to sign in first.

    What the API says for it is said in the language of the page, whatever the browser prefers.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handled(request: Request) -> Response:
            CALLERS.set(Language(_words(request).language))
            try:
                with reachable():
                    return await inner(request)
            except (Unauthenticated, PasswordChangeNeeded):
                return RedirectResponse(f"/sign-in?next={quote(_here(request))}", 303)
            except SeraError as error:
                return _problem(request, error)
            except RequestValidationError as error:
                return _problem(request, QueryUnusable(problem=told(error.errors())))

        return handled


def pages() -> APIRouter:
    """A router of pages."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)


def _problem(request: Request, error: SeraError) -> HTMLResponse:
    """In a transaction of its own: that of the request is undone, for it may have failed."""
    transaction: Transaction = request.state.transaction
    transaction.rollback()
    try:
        visitor = anyone(request, transaction)
    except Unavailable:
        words, theme = _words(request), _theme(request)
        visitor = Visitor(None, "", None, csrf(""), words, theme)
    said = sentence(error.code, error.facts, str(error), Language(visitor.language))[0]
    return show(request, visitor, "problem.html", error.status, code=error.code, said=said)


def _here(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _words(request: Request) -> Words:
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    return SPOKEN[
        chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language", ""))
    ]


def _theme(request: Request) -> str:
    chosen = request.query_params.get("theme") or request.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else THEMES[0]


def _keep(request: Request, answer: Response) -> None:
    secure = wiring(request).site.over_tls
    for name, cookie, known in (
        ("lang", LANGUAGE_COOKIE, LANGUAGES),
        ("theme", THEME_COOKIE, THEMES),
    ):
        if (chosen := request.query_params.get(name)) in known:
            answer.set_cookie(
                cookie, chosen, KEPT_S, path="/", secure=secure, httponly=True, samesite="lax"
            )
