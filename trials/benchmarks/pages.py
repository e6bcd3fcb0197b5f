"""Measures load time and size of each page, for each role, in Chromium with an embedded stack.

    python -m trials.benchmarks.pages [--json] [--repeats 3]

Each load has a browser context of its own, so that nothing is kept from the one before. First
contentful paint is the browser's paint timing, median of the repeats, at the machine's own speed
and with the processor throttled four times. Bytes are the bodies as they were sent, images left
out, up to the load event.
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
from playwright.sync_api import Browser, Page, sync_playwright

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

SLOWER = 4
SIGN_IN = "/sign-in"
WAYS = (*ENTRIES, *SECTIONS)
BYTES = """() => performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
    .filter(each => !["img", "image", "input"].includes(each.initiatorType))
    .filter(each => !/\\.(png|jpe?g|svg|webp)$/.test(each.name))
    .reduce((sum, each) => sum + each.encodedBodySize, 0)"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@dataclass(frozen=True)
class Weight:
    """A page as a role opened it; `role` is None before signing in."""

    path: str
    role: Role | None
    paint_ms: int
    slow_paint_ms: int
    bytes: int
    requests: int
    foreign: int


def paths(role: Role | None) -> list[str]:
    """The pages of the menu and of the console that this role may open."""
    return (
        [SIGN_IN]
        if role is None
        else [each.path for each in permitted_entries(Caller("", role, None), WAYS)]
    )


def requested_urls(page: Page) -> list[str]:
    """The addresses that the page asks for from now on, those inside it (`data:`, `blob:`) left
    out.
    """
    urls: list[str] = []
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("data:", "blob:")) or urls.append(request.url)
        ),
    )
    return urls


def weighed(page: Page) -> int:
    """Bytes of the page that is open and of all it fetched, without images."""
    return page.evaluate(BYTES)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if (chromium := find_chromium()) is None:
        raise SystemExit(f"There is no Chromium: {HOW}")
    with (
        tempfile.TemporaryDirectory() as home,
        Stack(Path(home), _free_port(), durable=False) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium)
        weights = list(Scales(browser, stack, arguments.repeats).all())
        browser.close()
    print(
        json.dumps([asdict(weight) for weight in weights], indent=1)
        if arguments.json
        else _table(weights)
    )


class Scales:
    """Weighs the pages of one stack."""

    def __init__(self, browser: Browser, stack: Stack, repeats: int) -> None:
        self._browser = browser
        self._stack = stack
        self._repeats = repeats

    def all(self) -> Iterator[Weight]:
        for role, token in self._tokens().items():
            for path in paths(role):
                yield self._weigh(path, role, token)

    def _weigh(self, path: str, role: Role | None, token: str) -> Weight:
        loads = [self._load(path, token) for _ in range(self._repeats)]
        slow = [self._load(path, token, SLOWER) for _ in range(self._repeats)]
        _, size, asked = loads[0]
        foreign = [url for url in asked if not url.startswith(self._stack.url)]
        paints = (round(median(load[0] for load in each)) for each in (loads, slow))
        return Weight(path, role, *paints, size, len(asked), len(foreign))

    def _load(
        self, path: str, token: str, slower: int = 1
    ) -> tuple[float, int, list[str]]:
        """Milliseconds to the first contentful paint, bytes, and the addresses
        that were asked for.
        """
        context = self._browser.new_context(base_url=self._stack.url)
        if token:
            context.add_cookies(
                [{"name": SESSION_COOKIE, "value": token, "url": self._stack.url}]
            )
        page = context.new_page()
        context.new_cdp_session(page).send(
            "Emulation.setCPUThrottlingRate", {"rate": slower}
        )
        asked = requested_urls(page)
        page.goto(path)
        painted = page.wait_for_function(PAINTED).json_value()
        told = painted, weighed(page), list(asked)
        context.close()
        return told

    def _tokens(self) -> dict[Role | None, str]:
        """A session for a person of each role, and none for nobody."""
        settings = Settings(
            home=self._stack.home.root, database_url=self._stack.database_url
        )
        ledger = Ledger(self._stack.database_url, pool_size=1)
        unused = PasswordHasher(1, 8, 1).hash("never entered")
        tokens: dict[Role | None, str] = {None: ""}
        with ledger.system_session("benchmark") as session:
            for role in Role:
                home = (
                    session.hospitals.ensure("benchmark")
                    if role in HOSPITAL_ROLES
                    else None
                )
                person = session.people.create_demo_person(
                    f"benchmark {role}", role, home, unused
                )
                tokens[role] = session.sessions.create(
                    person.id, session_lifetime(settings)
                )
        ledger.close()
        return tokens


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def _table(weights: Sequence[Weight]) -> str:
    slower = f"{SLOWER}x slower"
    head = (
        f"{'page':28} {'role':15} {'paint ms':>8} {slower:>9} {'bytes':>8} {'requests':>8} "
        f"{'foreign':>7}"
    )
    return "\n".join([head, *map(_row, weights)])


def _row(each: Weight) -> str:
    measured = (
        f"{each.paint_ms:8} {each.slow_paint_ms:9} {each.bytes:8,} {each.requests:8} "
        f"{each.foreign:7}"
    )
    return f"{each.path:28} {each.role or '-':15} {measured}"


if __name__ == "__main__":
    main()
