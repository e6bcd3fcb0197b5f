"""SERA whole, once for the session, and a real browser before it: people of every role, on a desk or a phone."""

import os
import queue
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

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

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SCREENSHOTS = os.environ.get("SERA_SCREENSHOTS")
"""A folder to keep the guide's screenshots in; else they go with the test's temporary files."""
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
EXPECTED = re.compile("Failed to load resource")
"""What a browser's console says of an answer that a page itself reports."""


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = find_chromium()
    if path is None:
        pytest.skip(f"no Chromium: {HOW}")
    return path


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """Ended with the module, since no test may call `asyncio.run` while Playwright's event loop runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def own_recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stack's operators lay recipes of their own."""
    return tmp_path_factory.mktemp("recipes")


@pytest.fixture(scope="session")
def stage(
    chromium_path: str,
    tmp_path_factory: pytest.TempPathFactory,
    own_recipes: Path,
    first_bundle: Path,
) -> Iterator[Stage]:
    """The stack that `./sera up` runs, in a home of its own, with a first model live."""
    said: queue.Queue[Event] = queue.Queue()
    home = tmp_path_factory.mktemp("sera") / "home"
    told = {"SERA_RING_EVERY_S": "1", "SERA_RECIPES_DIR": str(own_recipes)}
    settings = {
        "durable": False,
        "backoff": Backoff(0.1, 1.0),
        "extra_env": told,
        "observe": said.put,
    }
    with Stack(home, free_port(), **settings) as stack:
        running = Stage(stack, said)
        running.publish(first_bundle)
        yield running
        running.close()


@pytest.fixture(scope="session")
def book(stage: Stage) -> Iterator[Ledger]:
    """The stack's ledger, for what a test needs to be there."""
    opened = Ledger(stage.stack.database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def make_person(book: Ledger) -> Callable[..., Person]:
    """A person with the password of the tests, who need not change it."""

    def make(
        role: Role = Role.SUBMITTER, hospital: str = "north", name: str | None = None
    ) -> Person:
        with book.system_session("test") as house:
            home = house.hospitals.ensure(hospital) if role in HOSPITAL_ROLES else None
            made = house.people.create(
                name or f"{role}-{uuid4().hex[:6]}", role, home, CHEAP.hash(PASSWORD)
            )
        with book.engine.begin() as line:
            line.execute(
                text("UPDATE people SET must_change = false WHERE id = :id"),
                {"id": made.id},
            )
        return made

    return make


@dataclass
class Door:
    """Opens pages for people, and hears what their consoles say."""

    browser: Browser
    stage: Stage
    book: Ledger
    make_person: Callable[..., Person]
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def enter(
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
        """A page of somebody signed in (of nobody with role None), at `path`."""
        context = self._context(phone, language, dark, zone)
        if role is not None:
            context.add_cookies(
                [self._session(person or self.make_person(role, hospital))]
            )
        page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if path is not None:
            page.goto(path)
        return page

    def _context(
        self, phone: bool, language: str, dark: bool, zone: str | None
    ) -> BrowserContext:
        size = PHONE if phone else DESK
        light = "dark" if dark else "light"
        touch: dict[str, Any] = (
            {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
            if phone
            else {}
        )
        made = self.browser.new_context(
            base_url=self.stage.stack.url,
            viewport=size,
            locale=language,
            color_scheme=light,
            timezone_id=zone,
            **touch,
        )
        made.set_default_timeout(PATIENCE_MS)
        self.contexts.append(made)
        return made

    def _session(self, person: Person) -> dict[str, str]:
        with self.book.system_session("test") as house:
            token = house.sessions.create(person.id, session_lifetime(self.stage.settings))
        return {"name": SESSION_COOKIE, "value": token, "url": self.stage.stack.url}

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not EXPECTED.match(message.text):
            self.complaints.append(message.text)


@pytest.fixture
def door(
    chromium: Browser, stage: Stage, book: Ledger, make_person: Callable[..., Person]
) -> Iterator[Door]:
    opened = Door(chromium, stage, book, make_person)
    yield opened
    for context in opened.contexts:
        context.close()
    assert opened.complaints == []


@pytest.fixture
def enter(door: Door) -> Callable[..., Page]:
    """Opens a page for a person of a role: see `Door.enter`."""
    return door.enter


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], None]:
    """Asserts that a page has no serious or critical violation of WCAG 2.2 AA."""
    judge = Axe()
    options = {
        "runOnly": [
            "wcag2a",
            "wcag2aa",
            "wcag21a",
            "wcag21aa",
            "wcag22aa",
            "best-practice",
        ],
        "resultTypes": ["violations"],  # what is in order need not be described
    }

    def check(page: Page) -> None:
        found = judge.run(page, options=options).response["violations"]
        grave = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [
            (each["id"], [node["html"] for node in each["nodes"]][:3]) for each in grave
        ] == []

    return check


@pytest.fixture(scope="session")
def fits() -> Callable[[Page], None]:
    """Asserts that nobody scrolls sideways: neither the page nor, on a phone, any table on it."""
    sideways = "element => element.scrollWidth > element.clientWidth"

    def check(page: Page) -> None:
        # A phone shows a page that is too wide from further off: its innerWidth would always do.
        assert (
            page.evaluate("document.documentElement.scrollWidth")
            <= page.viewport_size["width"]
        ), page.url
        if page.viewport_size == PHONE:
            wide = f"[...document.querySelectorAll('.scroll')].filter({sideways}).map(each => each.ariaLabel)"
            assert page.evaluate(wide) == [], page.url

    return check


@pytest.fixture
def snap(tmp_path: Path) -> Callable[..., Path]:
    """Keeps a screenshot of a page under a name."""
    folder = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path
    folder.mkdir(parents=True, exist_ok=True)

    def taken(page: Page, name: str, full: bool = False) -> Path:
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=full, animations="disabled")
        return path

    return taken
