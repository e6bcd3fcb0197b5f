"""`./sera up` with the objects in somebody's S3, watched from its first to its last moment."""

import hashlib
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from moto.server import ThreadedMotoServer

from deploy.local import StackState
from deploy.local.errors import StackNotRunning
from shared.objects import open_store
from tests.e2e.stage import command, free_port, publish_live, sera, surroundings, until
from tests.support.builders import png

pytestmark = pytest.mark.long

ALSO_OURS = ("/dev/", "/proc/", "/sys/", "pipe:", "anon_inode:")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield "s3://KEY:SECRET@{}:{}/{}".format(
        *server.get_host_and_port(), f"sera-{secrets.token_hex(4)}"
    )
    server.stop()


@dataclass
class Stay:
    """The observations of a stack between `./sera up` and Ctrl-C."""

    home: Path
    outside_home: Path
    """The folder of files outside the home: HOME and TMPDIR."""
    job: dict[str, Any] = field(default_factory=dict)
    family: list[psutil.Process] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    shared_memory: set[str] = field(default_factory=set)
    exit_code: int | None = None
    output: str = ""
    demo: subprocess.CompletedProcess[str] | None = None


@pytest.fixture(scope="module")
def stay(
    tmp_path_factory: pytest.TempPathFactory, bucket: str, first_bundle: Path
) -> Stay:
    """A start, a case through S3, Ctrl-C; then the demo in the same home."""
    folder = tmp_path_factory.mktemp("stay")
    port = free_port()
    watched = Stay(folder / "home", folder / "outside_home")
    watched.outside_home.mkdir()
    environment = {
        name: str(watched.outside_home)
        for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    }
    environment |= {"SERA_OBJECTS_URL": bucket, "SERA_TRAINERS": "0"}
    image = folder / "nodule.png"
    image.write_bytes(png(1))
    with subprocess.Popen(
        command("up"), stdout=-1, **surroundings(watched.home, port, environment)
    ) as up:
        try:
            state = until(lambda: running(watched.home))
            publish_live(first_bundle, state.database_url, bucket)
            done = sera(
                watched.home,
                port,
                "submit --size-mm 12 --json",
                str(image),
                **environment,
            )
            assert done.returncode == 0, done.stderr
            watched.job = json.loads(done.stdout)
            look(watched, up.pid)
        finally:
            up.send_signal(signal.SIGINT)
            watched.output = up.communicate(timeout=60)[0]
    watched.exit_code = up.returncode
    watched.demo = sera(watched.home, port, "demo --once", **environment)
    return watched


def running(home: Path) -> StackState | None:
    with suppress(StackNotRunning):
        state = StackState.load(home)
        return state if state.ready else None
    return None


def alive(process: psutil.Process) -> bool:
    """A zombie has ended too, where nobody reaps orphans, as in a container."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def look(watched: Stay, pid: int) -> None:
    """Note every process of the stack, and what each has open for writing or maps from shared
    memory.
    """
    watched.family = [
        psutil.Process(pid),
        *psutil.Process(pid).children(recursive=True),
    ]
    for process in watched.family:
        with suppress(psutil.NoSuchProcess):  # a database session that has just ended
            watched.written |= {
                file.path for file in process.open_files() if file.mode != "r"
            }
            maps = process.memory_maps(grouped=False)
            watched.shared_memory |= {
                part.path for part in maps if part.path.startswith("/dev/shm/")
            }


def test_a_case_goes_through_with_its_objects_in_s3(stay: Stay, bucket: str) -> None:
    assert stay.job["state"] == "done"
    assert stay.job["result"]["model"]["name"] == "first"
    assert open_store(bucket).get(hashlib.sha256(png(1)).hexdigest()) == png(1)
    assert not list((stay.home / "objects").rglob("*")), (
        "nothing lies in the folder that S3 stands in for"
    )


def test_ctrl_c_ends_every_process_and_says_so(stay: Stay) -> None:
    assert (stay.exit_code, len(stay.family) > 8) == (0, True)
    assert "SERA has stopped. Nothing is left running" in stay.output
    until(lambda: not any(map(alive, stay.family)), within_s=20)
    with pytest.raises(StackNotRunning):
        StackState.load(stay.home)


def test_the_demo_goes_on_with_the_model_that_is_there_and_answers_two_hospitals(
    stay: Stay,
) -> None:
    assert stay.demo.returncode == 0, stay.demo.stderr
    assert "Live model: first/1." in stay.demo.stdout
    lines = stay.demo.stdout.splitlines()
    assert {"demo-north", "demo-south"} <= {line.strip() for line in lines}
    rows = [line for line in lines if " mm " in line and "│" in line]
    assert len(rows) == 12
    assert all("yes" in row or " no " in row for row in rows), (
        "every case has its advice"
    )
    assert lines[-1].startswith("Stopped; nothing is left running.")
    assert not (stay.home / "keys" / "demo").exists(), "nobody signs in to what is gone"


def test_nothing_is_written_outside_the_home(stay: Stay) -> None:
    outside = {
        path for path in stay.written if not Path(path).is_relative_to(stay.home)
    }
    assert {path for path in outside if not path.startswith(ALSO_OURS)} == set()
    assert sorted(stay.outside_home.rglob("*")) == []
    assert {path for path in stay.shared_memory if os.path.exists(path)} == set()


def test_at_home_only_data_logs_and_caches_are_left(stay: Stay) -> None:
    left = {path.name for path in stay.home.iterdir()}
    assert left <= {"postgres", "logs", "run", "cache", "keys", "objects"}
    assert [
        path.name for path in (stay.home / "run").rglob("*") if not path.is_dir()
    ] == ["lock"]
