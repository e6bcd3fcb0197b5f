import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.errors import StackNotRunning
from deploy.local.home import Home
from deploy.local.state import ProcessId, StackState, clear_leftovers


@pytest.fixture
def state(home: Home) -> StackState:
    me = ProcessId.from_pid(os.getpid())
    return StackState(
        str(home.root),
        me,
        str(home.run / "sockets"),
        "db",
        "broker",
        "objects",
        children={"api": me},
    )


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_what_is_saved_is_loaded(home: Home, state: StackState) -> None:
    state.save(home)
    assert StackState.load(home.root) == state
    assert state.pids == {"api": os.getpid()}


def test_the_file_is_for_our_eyes_only(home: Home, state: StackState) -> None:
    state.save(home)
    assert stat.S_IMODE(home.state_file.stat().st_mode) == 0o600
    assert [path.name for path in home.run.iterdir()] == ["stack.json"]


def test_no_file_means_no_stack(tmp_path: Path) -> None:
    with pytest.raises(StackNotRunning, match="sera up"):
        StackState.load(tmp_path)


def test_the_file_of_a_killed_supervisor_means_no_stack(
    home: Home, state: StackState
) -> None:
    earlier = replace(state.supervisor, started=state.supervisor.started - 100)
    replace(state, supervisor=earlier).save(home)
    with pytest.raises(StackNotRunning):
        StackState.load(home.root)


def test_leftovers_of_a_killed_supervisor_are_ended(
    home: Home, state: StackState, sleeper, monkeypatch
) -> None:
    monkeypatch.setattr("deploy.local.state.LEFTOVER_S", 0.1)
    replace(state, children={"worker": ProcessId.from_pid(sleeper.pid)}).save(home)
    clear_leftovers(home)
    assert sleeper.poll() is not None
    assert not home.state_file.exists()


def test_a_later_process_with_the_same_number_is_left_alone(
    home: Home, state: StackState, sleeper
) -> None:
    earlier = ProcessId(sleeper.pid, ProcessId.from_pid(sleeper.pid).started - 100)
    replace(state, children={"worker": earlier}).save(home)
    clear_leftovers(home)
    assert sleeper.poll() is None


def test_only_a_socket_folder_of_ours_is_removed(
    home: Home, state: StackState, tmp_path: Path
) -> None:
    for name in ("sera-abc", "precious"):
        (tmp_path / name).mkdir()
        replace(state, children={}, sockets=str(tmp_path / name)).save(home)
        clear_leftovers(home)
    assert not (tmp_path / "sera-abc").exists()
    assert (tmp_path / "precious").exists()
