"""Whatever ends a stack, nothing of it is left, and the next start goes on."""

import signal
from pathlib import Path

import psutil
import pytest

from deploy.local import EmbeddedEngines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(
    tmp_path: Path, foreground, number: signal.Signals
) -> None:
    stack = foreground(tmp_path / "home")
    assert list(stack.state) == ["postgres", "valkey", "api", "worker"]
    stack.process.send_signal(number)
    assert stack.all_end()
    assert stack.process.returncode == 0
    left = sorted(
        path.name
        for path in (tmp_path / "home" / "run").rglob("*")
        if not path.is_dir()
    )
    assert left == ["lock"]


def test_a_second_signal_does_not_wait_for_the_deaf(tmp_path: Path, foreground) -> None:
    stack = foreground(tmp_path / "home", "deaf")
    api = psutil.Process(stack.state["api"])
    stack.process.send_signal(signal.SIGINT)
    api.wait(20)
    stack.process.send_signal(signal.SIGINT)
    assert stack.all_end(8)


def test_kill_9_of_the_supervisor_leaves_no_process(tmp_path: Path, foreground) -> None:
    stack = foreground(tmp_path / "home", "deaf")
    assert len(stack.family) > 4, "the servers' own children are among them"
    stack.process.kill()
    assert stack.all_end()


def test_a_start_right_after_kill_9_goes_on_with_the_data(
    tmp_path: Path, foreground
) -> None:
    stack = foreground(tmp_path / "home")
    stack.process.kill()
    stack.process.wait()
    with EmbeddedEngines(tmp_path / "home") as engines:
        assert set(engines.state.pids) == {"postgres", "valkey"}
        assert not set(engines.state.pids.values()) & set(stack.state.values())
