"""The whole stack, once for the session, and a real browser for people of every role."""

import os
import queue
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from argon2 import PasswordHasher
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)
from sqlalchemy import text

from deploy.local import Backoff, Event, Stack
from services.api.middleware.authentication import session_lifetime
from services.api.middleware.origin_policy import SESSION_COOKIE
from shared.domain.roles import HOSPITAL_ROLES, Role
from shared.ledger import Ledger
from shared.ledger.people.repository import Person
from tests.browser.chromium import HOW, find_chromium
from tests.e2e.stage import Stage, free_port
from tests.support.sign_in import PASSWORD

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SCREENSHOTS = os.environ.get("SERA_SCREENSHOTS")
"""The folder for the guide's screenshots; by default the test's temporary folder."""
TIMEOUT_MS = 60_000
expect.set_options(timeout=TIMEOUT_MS)
EXPECTED_ERROR = re.compile("Failed to load resource")
"""The browser's console message about an error response; the page itself reports it."""


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = find_chromium()
    if path is None:
        pytest.skip(f"no Chromium: {HOW}")
    return path


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """Closed after each module: `asyncio.run` fails while Playwright's event loop runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def own_recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stack's own recipes."""
    return tmp_path_factory.mktemp("recipes")


@pytest.fixture(scope="session")
def stage(
    chromium_path: str,
    tmp_path_factory: pytest.TempPathFactory,
    own_recipes: Path,
    first_bundle: Path,
) -> Iterator[Stage]:
    """The stack that `./sera up` runs, in a separate home folder, with a first live model."""
    events: queue.Queue[Event] = queue.Queue()
    home = tmp_path_factory.mktemp("sera") / "home"
    extra_env = {"SERA_RING_EVERY_S": "1", "SERA_RECIPES_DIR": str(own_recipes)}
    settings = {
        "durable": False,
        "backoff": Backoff(0.1, 1.0),
        "extra_env": extra_env,
        "observe": events.put,
    }
    with Stack(home, free_port(), **settings) as stack:
        running = Stage(stack, events)
        running.publish(first_bundle)
        yield running
        running.close()


@pytest.fixture(scope="session")
def stack_ledger(stage: Stage) -> Iterator[Ledger]:
    """The stack's ledger, for the data that a test needs."""
    ledger = Ledger(stage.stack.database_url)
    yield ledger
    ledger.close()


@pytest.fixture(scope="session")
def make_person(stack_ledger: Ledger) -> Callable[..., Person]:
    """Creates people with the password of the tests, which they need not change."""

    def make(
        role: Role = Role.SUBMITTER, hospital: str = "north", name: str | None = None
    ) -> Person:
        with stack_ledger.system_session("test") as session:
            hospital_id: UUID | None = None
            if role in HOSPITAL_ROLES:
                hospital_id = session.hospitals.ensure(hospital)
            person = session.people.create(
                name or f"{role}-{uuid4().hex[:6]}",
                role,
                hospital_id,
                CHEAP_HASHER.hash(PASSWORD),
            )
        with stack_ledger.engine.begin() as connection:
            connection.execute(
                text("UPDATE people SET must_change = false WHERE id = :id"),
                {"id": person.id},
            )
        return person

    return make


@dataclass
class PageOpener:
    """Opens pages for people, and collects the errors of their consoles."""

    browser: Browser
    stage: Stage
    ledger: Ledger
    make_person: Callable[..., Person]
    contexts: list[BrowserContext] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)

    def open(
        self,
        role: Role | None = Role.SUBMITTER,
        hospital: str = "north",
        *,
        person: Person | None = None,
        phone: bool = False,
        language: str = "en",
        dark: bool = False,
        zone: str | None = None,
        path: str | None = None,
    ) -> Page:
        """A page at `path` for a person with this role; None: for nobody signed in."""
        context = self._context(phone, language, dark, zone)
        if role is not None:
            context.add_cookies(
                [self._session_cookie(person or self.make_person(role, hospital))]
            )
        page = context.new_page()
        page.on("console", self._collect_error)
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        if path is not None:
            page.goto(path)
        return page

    def _context(
        self, phone: bool, language: str, dark: bool, zone: str | None
    ) -> BrowserContext:
        size = PHONE if phone else DESKTOP
        color_scheme = "dark" if dark else "light"
        touch: dict[str, Any] = (
            {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
            if phone
            else {}
        )
        context = self.browser.new_context(
            base_url=self.stage.stack.url,
            viewport=size,
            locale=language,
            color_scheme=color_scheme,
            timezone_id=zone,
            **touch,
        )
        context.set_default_timeout(TIMEOUT_MS)
        self.contexts.append(context)
        return context

    def _session_cookie(self, person: Person) -> dict[str, str]:
        with self.ledger.system_session("test") as session:
            token = session.sessions.create(
                person.id, session_lifetime(self.stage.settings)
            )
        return {"name": SESSION_COOKIE, "value": token, "url": self.stage.stack.url}

    def _collect_error(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not EXPECTED_ERROR.match(message.text):
            self.console_errors.append(message.text)


@pytest.fixture
def page_opener(
    chromium: Browser,
    stage: Stage,
    stack_ledger: Ledger,
    make_person: Callable[..., Person],
) -> Iterator[PageOpener]:
    opener = PageOpener(
        browser=chromium, stage=stage, ledger=stack_ledger, make_person=make_person
    )
    yield opener
    for context in opener.contexts:
        context.close()
    assert opener.console_errors == []


@pytest.fixture
def open_page(page_opener: PageOpener) -> Callable[..., Page]:
    """Opens a page for a person with a role: `PageOpener.open`."""
    return page_opener.open


@pytest.fixture(scope="session")
def assert_accessible() -> Callable[[Page], None]:
    """Asserts that a page has no serious or critical violation of WCAG 2.2 AA."""
    axe = Axe()
    options = {
        "runOnly": [
            "wcag2a",
            "wcag2aa",
            "wcag21a",
            "wcag21aa",
            "wcag22aa",
            "best-practice",
        ],
        "resultTypes": ["violations"],  # passed rules are left out
    }

    def check(page: Page) -> None:
        violations = axe.run(page, options=options).response["violations"]
        examples = {
            violation["id"]: [node["html"] for node in violation["nodes"][:3]]
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        }
        assert examples == {}

    return check


@pytest.fixture(scope="session")
def assert_fits() -> Callable[[Page], None]:
    """Asserts that nothing scrolls sideways: not the page and, on a phone, no table on it."""
    scrolls_sideways = "element => element.scrollWidth > element.clientWidth"

    def check(page: Page) -> None:
        # A phone zooms out from a page that is too wide, so innerWidth would always be enough.
        assert (
            page.evaluate("document.documentElement.scrollWidth")
            <= page.viewport_size["width"]
        ), page.url
        if page.viewport_size == PHONE:
            wide_tables = (
                "[...document.querySelectorAll('.scroll')]"
                f".filter({scrolls_sideways}).map(table => table.ariaLabel)"
            )
            assert page.evaluate(wide_tables) == [], page.url

    return check


@pytest.fixture
def screenshot(tmp_path: Path) -> Callable[..., Path]:
    """Saves a screenshot of a page under a name."""
    folder = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path
    folder.mkdir(parents=True, exist_ok=True)

    def save(page: Page, name: str, full: bool = False) -> Path:
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=full, animations="disabled")
        return path

    return save
