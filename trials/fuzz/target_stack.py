"""A stack of its own to fuzz: real gateway, real worker, a small bundle fitted on phantoms."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import sqlalchemy as sa

from cli.connection import create_key
from deploy.local import Stack
from deploy.local.services import SERVICES
from deploy.local.supervisor import Event, Phase
from shared.domain.roles import HOSPITAL_ROLES, Role
from shared.ledger import Ledger
from shared.objects import open_store
from shared.settings import Settings
from trials.chaos.model import make, make_live
from trials.fuzz.campaign import BOUND_S
from trials.fuzz.tally import Tally
from trials.fuzz.upload import upload

STILL_S = 180.0
PAUSE_S = 0.5
"""A worker that ends no job for so long, while some wait, hangs."""
WATCHED = ("api", "worker")
HOSPITAL = "fuzzed"
ENDED = sa.text(
    "SELECT id, state, reason FROM jobs WHERE state NOT IN ('queued', 'running')"
)
LIMITS = {
    "SERA_RATE_PER_MINUTE": "100000",
    "SERA_INFLIGHT_QUOTA": "100000",
    "SERA_MAX_QUEUED": "1000000",
}
"""What is tried here is what single requests do, not how many may come."""
POLLS = {"SERA_LONG_POLL_MAX_S": "0.2"}
"""Nobody waits for what a made-up request asks to wait for."""


class House:
    """The running stack, and what died in it."""

    def __init__(self, home: Path, port: int) -> None:
        needed = tuple(
            child for child in SERVICES if child.name not in ("trainer", "shadow")
        )
        self.deaths: list[str] = []
        self.stack = Stack(
            home,
            port,
            services=needed,
            extra_env=LIMITS | POLLS,
            durable=False,
            observe=self._heard,
        )

    def __enter__(self) -> "House":
        self.stack.__enter__()
        self._ledger = Ledger(self.stack.database_url, pool_size=2)
        self._serve()
        return self

    def __exit__(self, *told: object) -> None:
        self._ledger.close()
        self.stack.__exit__(*told)

    def pids(self) -> Mapping[str, int]:
        return self.stack.state.pids

    @contextmanager
    def client(self, role: Role = Role.SUBMITTER) -> Iterator[httpx2.Client]:
        """The gateway as a key of this role sees it."""
        headers = {"Authorization": f"Bearer {self.key(role)}"}
        with httpx2.Client(
            base_url=self.stack.url or "", headers=headers, timeout=BOUND_S
        ) as client:
            yield client

    def key(self, role: Role) -> str:
        hospital = HOSPITAL if role in HOSPITAL_ROLES else None
        urls = {
            "database_url": self.stack.database_url,
            "broker_url": self.stack.broker_url,
        }
        return create_key(
            Settings(home=self.stack.home.root, **urls), role, hospital, "fuzz"
        )

    def collect(self, seed: int, tally: Tally) -> None:
        """Wait until every accepted case has its answer; a fault for each that gets none."""
        known = set()
        moved_at = time.monotonic()
        while left := tally.jobs.keys() - known:
            for job, state, reason in self._ended(left):
                known.add(job)
                tally.finished(upload(seed, tally.jobs[job]), state, reason)
                moved_at = time.monotonic()
            if time.monotonic() - moved_at > STILL_S:
                for job in sorted(left):
                    tally.fault(
                        upload(seed, tally.jobs[job]),
                        f"its job did not end, nor any other in {STILL_S:g} s",
                    )
                return
            time.sleep(PAUSE_S)

    def _ended(self, wanted: set[str]) -> list[tuple[str, str, str | None]]:
        with self._ledger.engine.connect() as line:
            rows = [
                (str(job), state, reason) for job, state, reason in line.execute(ENDED)
            ]
        return [row for row in rows if row[0] in wanted]

    def _serve(self) -> None:
        make_live(
            make(self.stack.home.root / "bundle"),
            self._ledger,
            open_store(self.stack.objects_url),
        )

    def _heard(self, event: Event) -> None:
        if event.phase is Phase.RESTING:
            self.deaths.append(f"{event.child} died: {event.detail}")
