"""Drives a running stack from outside: by HTTP, the command line, its processes and its rows."""

import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psutil
import sqlalchemy as sa

from cli.connection import create_key
from deploy.local import Event, Phase, Stack
from shared.bundles.storage import publish
from shared.domain.jobs import FINAL_STATES
from shared.domain.models import GateReason, GateVerdict, Judgement, Weight
from shared.domain.roles import Role
from shared.ledger import Ledger, SystemSession
from shared.objects import open_store
from shared.settings import Settings
from tests.support.builders import form
from tests.support.command import command_words

ROOT = Path(__file__).parents[2]
PATIENCE_S = 400.0
PAUSE_S = 0.05
QUICK_RECIPE = """
name = "quick"
version = "1"
source = "the tests: what starter does, with fewer phantoms, folds and trees"
[roi]
margin = 0.15
[[features]]
network = "sera_tiny"
taps = ["block4.avg"]
tuning = "phantoms"
[[features]]
families = ["shape", "intensity"]
[[classifiers]]
kind = "svm"
kernel = ["rbf"]
C = [1]
[[classifiers]]
kind = "forest"
trees = 16
[validation]
folds = 3
[phantoms]
count = 99
epochs = 2
batch = 33
rate = 0.05
"""
FOREIGN_VARIABLES = {
    name: value for name, value in os.environ.items() if not name.startswith("SERA_")
}


def until(ask: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """The first answer that is not empty. Asks repeatedly, and fails after `within_s`."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"{ask} gave nothing within {within_s:g} s"
        pause.wait(PAUSE_S)
    return answer


def free_port() -> int:
    """A free port, from a range that the kernel does not use for outgoing connections."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def sera(
    home: Path, port: int, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of `./sera` with this home."""
    return subprocess.run(
        command(*arguments),
        **surroundings(home, port, environment),
        timeout=800,
        stdout=-1,
        stderr=-1,
    )


def command(*arguments: str) -> tuple[str, ...]:
    """The words of a command line; the first argument is split as a shell splits it."""
    return (sys.executable, "-P", "-m", "cli", *command_words(*arguments))


def surroundings(
    home: Path, port: int, environment: Mapping[str, str]
) -> dict[str, Any]:
    """The arguments of `subprocess` that a command of this home needs."""
    variables = {
        "PYTHONPATH": str(ROOT),
        "SERA_HOME": str(home),
        "SERA_PORT": str(port),
    }
    return {
        "env": FOREIGN_VARIABLES | variables | dict(environment),
        "cwd": home.parent,
        "text": True,
    }


class Hospital:
    """A hospital's software.

    A request keeps its idempotency key, so that it can be sent again while SERA is down.
    """

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60
        )

    def submit(
        self, image: bytes | None = None, *, key: str | None = None, **fields: object
    ) -> httpx2.Response:
        """Send a case until there is an answer of any kind."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return self._repeat_until_answered(
            lambda: self.http.post(
                "/v1/cases", **form(image, **fields), headers=headers
            )
        )

    def job(self, job_id: str) -> dict[str, Any]:
        """The job once it is final."""
        return until(lambda: self._final(job_id))

    def read(self, image: bytes | None = None, **fields: object) -> dict[str, Any]:
        """Submit a case and wait for its job."""
        return self.job(self.accepted(image, **fields)["job_id"])

    def accepted(self, image: bytes | None = None, **fields: object) -> dict[str, Any]:
        answer = self.submit(image, **fields)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def jobs(self) -> list[str]:
        """Ids of all its jobs, page by page."""
        job_ids = []
        cursor = {}
        while True:
            page = self.http.get("/v1/jobs", params=cursor | {"limit": 50}).json()
            job_ids += [job["job_id"] for job in page["jobs"]]
            if page["next_cursor"] is None:
                return job_ids
            cursor = {"cursor": page["next_cursor"]}

    def _final(self, job_id: str) -> dict[str, Any] | None:
        answer = self._repeat_until_answered(
            lambda: self.http.get(f"/v1/jobs/{job_id}", params={"wait": 10})
        )
        job = answer.json()
        return job if job["state"] in FINAL_STATES else None

    def _repeat_until_answered(
        self, call: Callable[[], httpx2.Response]
    ) -> httpx2.Response:
        def attempt() -> list[httpx2.Response]:
            with suppress(httpx2.TransportError):
                answer = call()
                return [answer] if answer.status_code != 503 else []
            return []

        return until(attempt)[0]


@dataclass(frozen=True)
class Changeover:
    """The training and promotion of a second model, and the jobs of the cases meanwhile, in order.

    `imported` is the printed text of the import; `run` is the printed training run.
    """

    digest_before: str
    imported: str
    run: dict[str, Any]
    jobs: list[dict[str, Any]]


class Stage:
    """A stack, and the actions of a test on it."""

    def __init__(self, stack: Stack, events: "queue.Queue[Event]") -> None:
        self.stack = stack
        self._events = events
        self.settings = Settings(
            home=stack.home.root,
            host=stack.host,
            port=stack.port,
            database_url=stack.database_url,
            broker_url=stack.broker_url,
            objects_url=stack.objects_url,
        )
        self._engine = sa.create_engine(stack.database_url, poolclass=sa.NullPool)
        self._callers: list[Hospital] = []

    def hospital(self, name: str) -> Hospital:
        return self.caller(create_key(self.settings, Role.SUBMITTER, name, "test"))

    def operator(self) -> Hospital:
        return self.caller(create_key(self.settings, Role.OPERATOR, None, "test"))

    def caller(self, key: str) -> Hospital:
        """A caller with this key. Its connections end with the stage."""
        caller = Hospital(self.stack.url, key)
        self._callers.append(caller)
        return caller

    def close(self) -> None:
        for caller in self._callers:
            caller.http.close()

    def sera(
        self, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return sera(self.stack.home.root, self.stack.port, *arguments, **environment)

    def sera_json(self, *arguments: str, **environment: str) -> Any:
        """Run a command that has to succeed; the JSON that it prints."""
        process = self.sera(*arguments, **environment)
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    def rows(self, query: str, **parameters: object) -> list[tuple]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text(query), parameters)
            return [tuple(row) for row in rows]

    def publish(self, folder: Path) -> str:
        """Store a bundle and make it live; returns its digest."""
        return publish_live(folder, self.stack.database_url, self.stack.objects_url)

    def live(self) -> str:
        """The digest of the live model."""
        query = "SELECT model_digest FROM promotions ORDER BY id DESC LIMIT 1"
        ((digest,),) = self.rows(query)
        return digest

    def process(self, child: str) -> psutil.Process:
        return psutil.Process(self.stack.state.pids[child])

    def suspend_holding(self, child: str, work: str) -> bool:
        """Suspend a process while it works; True if it has work by the query `work`.

        A process without work is resumed.
        """
        process = self.process(child)
        process.suspend()
        if self.rows(work):
            return True
        process.resume()
        return False

    def kill(self, child: str) -> None:
        """kill -9, then wait until its successor is ready."""
        while not self._events.empty():
            self._events.get_nowait()
        self.process(child).send_signal(signal.SIGKILL)
        while self._events.get(timeout=PATIENCE_S) != Event(child, Phase.READY):
            pass  # the supervisor waits, then starts the process


def publish_live(folder: Path, database_url: str, objects_url: str) -> str:
    digest = publish(folder, open_store(objects_url))
    ledger = Ledger(database_url, pool_size=1)
    with ledger.system_session("test") as session:
        session.models.store(
            digest=digest,
            name="first",
            recipe="small",
            run_id=None,
            synthetic=True,
            metrics={},
        )
        promote_passed(session, digest)
    ledger.close()
    return digest


def promote_passed(session: SystemSession, digest: str) -> None:
    """Make a model live that the gate passed against the live one, if there is one."""
    live = session.models.live_digest()
    if live is not None:
        reason = GateReason("no-live-model", Weight.FOR, {"auc": 0.9})
        judgement = Judgement(GateVerdict.PASSED, (reason,), {"images": 3}, {"m": 1})
        session.gate_judgements.record(digest, live, None, None, judgement)
    session.models.promote(digest, "test", "a model of the tests")
