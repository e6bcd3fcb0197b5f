"""Measures load time and size of each page, for each role, in Chromium with an embedded stack.

    python -m trials.benchmarks.pages [--json] [--repeats 3]

Each load has a new browser context, so that the cache is empty. First contentful paint is the
browser's paint timing, the median of the repeats, at the machine's own speed and with the processor
throttled four times. Bytes are the bodies as sent, without images, up to the load event.
"""

import argparse
import json
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from argon2 import PasswordHasher
from playwright.sync_api import Browser, Page, Request, sync_playwright

from deploy.local import Stack
from services.api.middleware.authentication import session_lifetime
from services.api.middleware.origin_policy import SESSION_COOKIE
from services.api.web.console import SECTIONS
from services.api.web.navigation import ENTRIES, permitted_entries
from shared.domain.roles import HOSPITAL_ROLES, Role
from shared.ledger import Ledger
from shared.ledger.hospitals.repository import Caller
from shared.settings import Settings
from tests.browser.chromium import HOW, find_chromium

THROTTLE = 4
"""How many times slower the throttled processor is."""
SIGN_IN = "/sign-in"
MENU_ENTRIES = (*ENTRIES, *SECTIONS)
COUNT_BYTES = """() => performance.getEntriesByType("navigation")
    .concat(performance.getEntriesByType("resource"))
    .filter(entry => !["img", "image", "input"].includes(entry.initiatorType))
    .filter(entry => !/\\.(png|jpe?g|svg|webp)$/.test(entry.name))
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
FIRST_PAINT = (
    "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
)


@dataclass(frozen=True)
class Weight:
    """The weight of a page for a role; `role` is None before signing in.

    Attributes
    ----------
    paint_ms, slow_paint_ms : to the first contentful paint, at full speed and throttled
    foreign : number of requests to other servers
    """

    path: str
    role: Role | None
    paint_ms: int
    slow_paint_ms: int
    bytes: int
    requests: int
    foreign: int


@dataclass(frozen=True)
class PageLoad:
    """One load of a page."""

    paint_ms: float
    bytes: int
    urls: list[str]


def paths(role: Role | None) -> list[str]:
    """The pages of the menu and of the console that this role may open."""
    if role is None:
        return [SIGN_IN]
    caller = Caller("", role, None)
    return [entry.path for entry in permitted_entries(caller, MENU_ENTRIES)]


def requested_urls(page: Page) -> list[str]:
    """A list to which the page adds the URL of each request from now on.

    URLs of data inside the page (`data:`, `blob:`) are left out.
    """
    urls: list[str] = []

    def add_url(request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")):
            urls.append(request.url)

    page.on("request", add_url)
    return urls


def loaded_bytes(page: Page) -> int:
    """Bytes of the open page and of all that it fetched, without images."""
    count: int = page.evaluate(COUNT_BYTES)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit(f"There is no Chromium: {HOW}")
    with (
        tempfile.TemporaryDirectory() as home,
        Stack(Path(home), _free_port(), durable=False) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium)
        measurement = PageMeasurement(browser, stack, repeats=arguments.repeats)
        weights = list(measurement.weights())
        browser.close()
    if arguments.json:
        print(json.dumps([asdict(weight) for weight in weights], indent=1))
    else:
        print(_table(weights))


class PageMeasurement:
    """Measures the pages of one stack."""

    def __init__(self, browser: Browser, stack: Stack, repeats: int) -> None:
        self._browser = browser
        self._stack = stack
        self._repeats = repeats

    def weights(self) -> Iterator[Weight]:
        """Every page that each role may open."""
        for role, token in self._session_tokens().items():
            for path in paths(role):
                yield self._weight(path, role, token)

    def _weight(self, path: str, role: Role | None, token: str) -> Weight:
        loads = [self._load(path, token) for _ in range(self._repeats)]
        slow_loads = [
            self._load(path, token, throttle=THROTTLE) for _ in range(self._repeats)
        ]
        urls = loads[0].urls
        foreign_urls = [url for url in urls if not url.startswith(self._stack.url)]
        return Weight(
            path=path,
            role=role,
            paint_ms=round(median(load.paint_ms for load in loads)),
            slow_paint_ms=round(median(load.paint_ms for load in slow_loads)),
            bytes=loads[0].bytes,
            requests=len(urls),
            foreign=len(foreign_urls),
        )

    def _load(self, path: str, token: str, throttle: int = 1) -> PageLoad:
        context = self._browser.new_context(base_url=self._stack.url)
        if token:
            context.add_cookies(
                [{"name": SESSION_COOKIE, "value": token, "url": self._stack.url}]
            )
        page = context.new_page()
        context.new_cdp_session(page).send(
            "Emulation.setCPUThrottlingRate", {"rate": throttle}
        )
        urls = requested_urls(page)
        page.goto(path)
        paint_ms = page.wait_for_function(FIRST_PAINT).json_value()
        load = PageLoad(paint_ms=paint_ms, bytes=loaded_bytes(page), urls=list(urls))
        context.close()
        return load

    def _session_tokens(self) -> dict[Role | None, str]:
        """A session token for a person of each role, and "" before signing in."""
        settings = Settings(
            home=self._stack.home.root, database_url=self._stack.database_url
        )
        ledger = Ledger(self._stack.database_url, pool_size=1)
        unused_hash = PasswordHasher(1, 8, 1).hash("never entered")
        tokens: dict[Role | None, str] = {None: ""}
        with ledger.system_session("benchmark") as session:
            for role in Role:
                hospital = None
                if role in HOSPITAL_ROLES:
                    hospital = session.hospitals.ensure("benchmark")
                person = session.people.create_demo_person(
                    name=f"benchmark {role}",
                    role=role,
                    hospital=hospital,
                    password_hash=unused_hash,
                )
                assert person is not None, "the name is taken"
                tokens[role] = session.sessions.create(
                    person.id, session_lifetime(settings)
                )
        ledger.close()
        return tokens


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _table(weights: Sequence[Weight]) -> str:
    slower = f"{THROTTLE}x slower"
    head = (
        f"{'page':28} {'role':15} {'paint ms':>8} {slower:>9} {'bytes':>8} {'requests':>8} "
        f"{'foreign':>7}"
    )
    return "\n".join([head, *map(_row, weights)])


def _row(weight: Weight) -> str:
    figures = (
        f"{weight.paint_ms:8} {weight.slow_paint_ms:9} {weight.bytes:8,} "
        f"{weight.requests:8} {weight.foreign:7}"
    )
    return f"{weight.path:28} {weight.role or '-':15} {figures}"


if __name__ == "__main__":
    main()
