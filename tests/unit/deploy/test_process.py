import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import ToolMissing
from deploy.local.process import LOG_CAP_BYTES, Process, last_line, open_log


def runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def ended(process: Process) -> int:
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process.exit_code()


def test_a_child_writes_to_its_log(toy, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert (
        ended(Process(toy("a", "echo out; echo err >&2; exit 7"), os.environ, log)) == 7
    )
    assert log.read_text() == "out\nerr\n"
    assert last_line(log) == "err"


def test_a_child_is_in_a_session_of_its_own(toy, tmp_path: Path) -> None:
    process = Process(
        toy("a"),
        {**os.environ, "SERA_READY_FILE": str(tmp_path / "r")},
        tmp_path / "a.log",
    )
    assert os.getsid(process.pid) == process.pid
    process.send(signal.SIGTERM)
    assert ended(process) == -signal.SIGTERM


def test_grandchildren_go_with_the_child(toy, tmp_path: Path) -> None:
    process = Process(
        toy("a", "sleep 600 & echo $!; exit 1"), os.environ, tmp_path / "a.log"
    )
    assert ended(process) == 1
    grandchild = int((tmp_path / "a.log").read_text())
    with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        psutil.Process(grandchild).wait(2)
    assert not runs(grandchild)


def test_a_grown_log_is_kept_once(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * (LOG_CAP_BYTES + 1))
    os.close(open_log(log))
    assert log.stat().st_size == 0
    assert (tmp_path / "a.log.1").stat().st_size == LOG_CAP_BYTES + 1


def test_a_log_that_is_not_there_ends_with_nothing(tmp_path: Path) -> None:
    assert last_line(tmp_path / "none.log") == ""


def test_a_system_without_setpriv_is_told_what_to_install(
    toy, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="util-linux"):
        Process(toy("a"), {}, tmp_path / "a.log")
