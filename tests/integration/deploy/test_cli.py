import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import command
from tests.support.command import Finished

ROOT = Path(__file__).parents[3]


@pytest.fixture
def env(tmp_path: Path, port: int) -> dict[str, str]:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SERA_")
    }
    return variables | {
        "PYTHONPATH": str(ROOT),
        "SERA_HOME": str(tmp_path / "home"),
        "SERA_PORT": str(port),
        "COLUMNS": "200",
    }


@pytest.fixture
def sera(env: dict[str, str], tmp_path: Path) -> Callable[..., Finished]:
    """The command in the test's own process."""

    def run(*arguments: str, **changed: str) -> Finished:
        return command.sera(*arguments, env=env | changed, folder=tmp_path)

    return run


def test_help_lists_the_commands(sera) -> None:
    output = sera("--help")
    assert output.returncode == 0
    assert all(name in output.stdout for name in ("up", "doctor", "test", "SERA_HOME"))


def test_a_wrong_command_is_a_usage_error(sera) -> None:
    assert sera("nonsense").returncode == 2


def test_a_wrong_setting_is_named_in_one_sentence(sera) -> None:
    done = sera("up", SERA_PORT="many")
    assert done.returncode == 1
    assert done.stderr.startswith("SERA: SERA_PORT cannot be used")
    assert len(done.stderr.strip().splitlines()) == 1


def test_up_on_a_busy_port_says_which_variable_to_change(sera, port: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        done = sera("up")
    assert done.returncode == 1
    assert "SERA_PORT" in done.stderr
    assert "[port-busy]" in done.stderr


def test_doctor_finds_this_machine_fit(env: dict[str, str], tmp_path: Path) -> None:
    """As a process of its own, as `./sera` starts it."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "doctor", "--json"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 0, findings
    assert "18." in findings["postgres"]["detail"]
    assert "9." in findings["valkey"]["detail"]


def test_doctor_fails_where_something_is_in_the_way(
    sera, tmp_path: Path, port: int
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        done = sera("doctor", SERA_WEIGHTS_DIR=str(tmp_path / "none"))
    assert done.returncode == 1
    failed = [line.split()[0] for line in done.stdout.splitlines() if " fail " in line]
    assert failed == ["weights", "port"]


def test_doctor_lists_the_weights_it_finds(sera, tmp_path: Path) -> None:
    (tmp_path / "vgg19.pth").touch()
    assert "vgg19" in sera("doctor", SERA_WEIGHTS_DIR=str(tmp_path)).stdout
