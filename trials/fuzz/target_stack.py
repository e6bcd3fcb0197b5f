"""The stack under test: a real gateway, a real worker, and a small bundle fitted on phantoms."""

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
from trials.fuzz.campaign import ANSWER_TIMEOUT_S
from trials.fuzz.tally import Tally
from trials.fuzz.upload import upload

STALL_TIMEOUT_S = 180.0
POLL_S = 0.5
"""A worker that ends no job for so long, while some wait, hangs."""
WATCHED = ("api", "worker")
HOSPITAL = "fuzzed"
ENDED_JOBS = sa.text(
    "SELECT id, state, reason FROM jobs WHERE state NOT IN ('queued', 'running')"
)
LIMITS = {
    "SERA_RATE_PER_MINUTE": "100000",
    "SERA_INFLIGHT_QUOTA": "100000",
    "SERA_MAX_QUEUED": "1000000",
}
"""Limits are high, because fuzzing tests single requests and not their number."""
POLLS = {"SERA_LONG_POLL_MAX_S": "0.2"}
"""Long polls of random requests end at once."""


class TargetStack:
    """The running stack, and the deaths of its processes."""

    def __init__(self, home: Path, port: int) -> None:
        services = tuple(
            child for child in SERVICES if child.name not in ("trainer", "shadow")
        )
        self.deaths: list[str] = []
        self.stack = Stack(
            home,
            port,
            services=services,
            extra_env=LIMITS | POLLS,
            durable=False,
            observe=self._on_event,
        )

    def __enter__(self) -> "TargetStack":
        self.stack.__enter__()
        self._ledger = Ledger(self.stack.database_url, pool_size=2)
        self._promote_model()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ledger.close()
        self.stack.__exit__(*exception)

    def pids(self) -> Mapping[str, int]:
        return self.stack.state.pids

    @contextmanager
    def client(self, role: Role = Role.SUBMITTER) -> Iterator[httpx2.Client]:
        """The gateway as a key of this role sees it."""
        headers = {"Authorization": f"Bearer {self.key(role)}"}
        with httpx2.Client(
            base_url=self.stack.url or "", headers=headers, timeout=ANSWER_TIMEOUT_S
        ) as client:
            yield client

    def key(self, role: Role) -> str:
        hospital = HOSPITAL if role in HOSPITAL_ROLES else None
        settings = Settings(
            home=self.stack.home.root,
            database_url=self.stack.database_url,
            broker_url=self.stack.broker_url,
        )
        return create_key(settings, role, hospital=hospital, label="fuzz")

    def collect(self, seed: int, tally: Tally) -> None:
        """Wait until every accepted case has its answer. A case without one is a fault."""
        collected_jobs: set[str] = set()
        moved_at = time.monotonic()
        while open_jobs := tally.jobs.keys() - collected_jobs:
            for job, state, reason in self._ended(open_jobs):
                collected_jobs.add(job)
                tally.record_job(upload(seed, tally.jobs[job]), state, reason)
                moved_at = time.monotonic()
            if time.monotonic() - moved_at > STALL_TIMEOUT_S:
                for job in sorted(open_jobs):
                    tally.record_fault(
                        upload(seed, tally.jobs[job]),
                        f"its job did not end, nor any other in {STALL_TIMEOUT_S:g} s",
                    )
                return
            time.sleep(POLL_S)

    def _ended(self, jobs: set[str]) -> list[tuple[str, str, str | None]]:
        with self._ledger.engine.connect() as connection:
            rows = [
                (str(job), state, reason)
                for job, state, reason in connection.execute(ENDED_JOBS)
            ]
        return [row for row in rows if row[0] in jobs]

    def _promote_model(self) -> None:
        make_live(
            make(self.stack.home.root / "bundle"),
            self._ledger,
            open_store(self.stack.objects_url),
        )

    def _on_event(self, event: Event) -> None:
        if event.phase is Phase.RESTING:
            self.deaths.append(f"{event.child} died: {event.detail}")
