"""A machine's stack is killed, its home is deleted, and SERA goes on from a backup that was made
while it served.
"""

import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psutil
import pytest

from cli.connection import create_key
from deploy.local import StackState
from deploy.local.errors import StackNotRunning
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.security.audit_signing import seal_key
from shared.security.authenticators import Vault
from shared.security.passwords import hash_password
from shared.settings import Settings
from tests.e2e.stage import (
    Hospital,
    command,
    free_port,
    publish_live,
    sera,
    surroundings,
    until,
)
from tests.support.builders import png

pytestmark = pytest.mark.long

QUICKER = {"SERA_RING_EVERY_S": "1", "SERA_LEASE_S": "4", "SERA_TRAINERS": "0"}
PASSWORD = "four words of no sense"
SECRET = "what the authenticator knows"


@dataclass
class Disaster:
    """What was there before, what was kept, and what came back."""

    home: Path
    place: Path
    port: int
    key: str = ""
    public_key: str = ""
    """Of the seals and of the backup."""
    first_receipt: dict[str, Any] = field(default_factory=dict)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By Idempotency-Key, what a client was answered that went on submitting during the backup."""
    person: UUID | None = None
    sealed: bytes = b""
    killed: list[psutil.Process] = field(default_factory=list)
    backup: dict[str, Any] = field(default_factory=dict)
    restored: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, port=self.port)

    def sera_json(self, *arguments: str) -> Any:
        done = sera(self.home, self.port, *arguments, **QUICKER)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)


@contextmanager
def up(home: Path, port: int) -> Iterator[StackState]:
    """`./sera up`, ended by Ctrl-C unless it was ended otherwise."""
    with subprocess.Popen(
        command("up"), stdout=subprocess.DEVNULL, **surroundings(home, port, QUICKER)
    ) as stack:
        try:
            yield until(lambda: running(home))
        finally:
            stack.send_signal(signal.SIGINT)
            stack.wait(60)


def running(home: Path) -> StackState | None:
    with suppress(StackNotRunning):
        state = StackState.load(home)
        return state if state.ready else None
    return None


@contextmanager
def hospital(url: str, key: str) -> Iterator[Hospital]:
    caller = Hospital(url, key)
    try:
        yield caller
    finally:
        caller.http.close()


@pytest.fixture(scope="module")
def disaster(
    tmp_path_factory: pytest.TempPathFactory, first_bundle: Path
) -> Iterator[Disaster]:
    folder = tmp_path_factory.mktemp("disaster")
    story = Disaster(folder / "home", folder / "backups", free_port())
    with up(story.home, story.port) as state:
        publish_live(first_bundle, state.database_url, state.objects_url)
        story.key = create_key(story.settings, Role.SUBMITTER, "north", "test")
        with hospital(story.url, story.key) as north:
            live(story, state, north)
        kill_all(story, state)
    shutil.rmtree(story.home)
    story.restored = story.sera_json(
        "restore", str(story.place), "--trusted", story.public_key, "--json"
    )
    with up(story.home, story.port):
        yield story


def live(story: Disaster, state: StackState, north: Hospital) -> None:
    """A case is done, others wait, a worker has some in hand; somebody signs in; a backup is made
    meanwhile.
    """
    story.public_key = seal_key(story.settings).public
    story.first_receipt = north.read(png(1))
    person_with_authenticator(story, state)
    psutil.Process(state.pids["worker"]).suspend()
    story.waiting = [north.accepted(png(seed)) for seed in range(2, 6)]
    stop = threading.Event()
    client = threading.Thread(target=submit_until, args=(stop, story, north))
    client.start()
    try:
        until(lambda: len(story.sent) > 1)
        story.backup = story.sera_json(
            "backup", str(story.place), "--with-keys", "--json"
        )
    finally:
        stop.set()
        client.join()


def person_with_authenticator(story: Disaster, state: StackState) -> None:
    with (
        closing(Ledger(state.database_url, pool_size=1)) as ledger,
        ledger.system_session("test") as session,
    ):
        north = session.hospitals.ensure("north")
        story.person = session.people.create_demo_person(
            "mara", Role.READER, north, hash_password(PASSWORD)
        ).id
    story.sealed = Vault(story.settings).seal(story.person, SECRET)


def submit_until(stop: threading.Event, story: Disaster, north: Hospital) -> None:
    while not stop.wait(0.05):
        key = str(uuid4())
        story.sent[key] = north.submit(png(7), key=key).json()


def kill_all(story: Disaster, state: StackState) -> None:
    top = psutil.Process(state.supervisor.pid)
    story.killed = [top, *top.children(recursive=True)]
    for process in story.killed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(story.killed[1:], timeout=20)


def test_everything_was_killed_and_the_backup_is_whole(disaster: Disaster) -> None:
    assert len(disaster.killed) > 8
    assert not any(map(psutil.Process.is_running, disaster.killed[1:]))
    assert disaster.backup["manifest"]["missing"] == []
    assert disaster.restored["name"] == disaster.backup["name"]


def test_the_audit_trail_is_whole_and_every_object_was_read_back(
    disaster: Disaster,
) -> None:
    restored = disaster.restored
    assert (restored["whole"], restored["lost"], restored["lacking_keys"]) == (
        True,
        [],
        [],
    )
    assert restored["audit"]["whole"]
    assert restored["objects"] == disaster.backup["manifest"]["objects"]["count"]


def test_old_results_are_read_and_cases_that_waited_get_done(
    disaster: Disaster,
) -> None:
    with hospital(disaster.url, disaster.key) as north:
        assert north.job(disaster.first_receipt["job_id"]) == disaster.first_receipt
        for receipt in disaster.waiting:
            job = north.job(receipt["job_id"])
            assert (job["state"], job["result"]["model"]["name"]) == ("done", "first")
        assert north.read(png(9))["state"] == "done"


def test_what_a_client_sends_again_is_the_case_of_before_or_a_new_one(
    disaster: Disaster,
) -> None:
    """A key that the backup has is answered as before; one of later makes the case anew."""
    with hospital(disaster.url, disaster.key) as north:
        repeated_receipts = {
            key: north.submit(png(7), key=key).json() for key in disaster.sent
        }
        assert {
            north.job(answer["job_id"])["state"]
            for answer in repeated_receipts.values()
        } == {"done"}
        assert len({answer["job_id"] for answer in repeated_receipts.values()}) == len(
            repeated_receipts
        )
        first = next(iter(disaster.sent))
        assert repeated_receipts[first] == disaster.sent[first]


def test_a_person_signs_in_and_the_authenticators_key_is_the_one_of_before(
    disaster: Disaster,
) -> None:
    fields = {"name": "mara", "password": PASSWORD}
    with httpx2.Client(base_url=disaster.url) as browser:
        assert browser.post("/v1/session", json=fields).status_code == 201
    assert Vault(disaster.settings).open(disaster.person, disaster.sealed) == SECRET
