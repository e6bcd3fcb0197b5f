import os
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from deploy.local.child import Backoff
from deploy.local.errors import ChildFailed
from deploy.local.home import Home
from deploy.local.supervisor import Event, Phase, Supervisor

PATIENCE_S = 20


class Stage:
    """A supervisor stepped by hand, with a clock of its own and a record of what it said."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.now = 1000.0
        self.events: list[Event] = []
        self.supervisor: Supervisor | None = None

    def play(self, *children, **settings) -> Supervisor:
        self.supervisor = Supervisor(
            children,
            self.home,
            os.environ,
            observe=self.events.append,
            clock=lambda: self.now,
            **settings,
        )
        return self.supervisor

    def until(self, met: Callable[[], bool]) -> None:
        """Step, with the clock standing still, until something is so."""
        give_up = time.monotonic() + PATIENCE_S
        while not met():
            assert time.monotonic() < give_up, self.events
            self.supervisor.step()

    def phase(self, name: str) -> Phase:
        return self.supervisor.members[name].phase

    def children_in_phase(self, phase: Phase) -> list[str]:
        return [event.child for event in self.events if event.phase is phase]

    def end(self) -> None:
        hurry = threading.Event()
        hurry.set()
        self.supervisor.stop(hurry)


@pytest.fixture
def stage(home: Home) -> Iterator[Stage]:
    result = Stage(home)
    yield result
    result.end()


def test_a_child_starts_only_when_those_before_it_are_ready(stage: Stage, toy) -> None:
    supervisor = stage.play(
        toy("engine", "exec sleep 600"),
        toy("once", "exit 0", one_shot=True, depends_on=("engine",)),
        toy("api", depends_on=("once",)),
    )
    for _ in range(3):
        supervisor.step()
    assert stage.children_in_phase(Phase.STARTING) == ["engine"]
    stage.home.ready_file("engine").touch()
    stage.until(lambda: supervisor.settled)
    assert stage.children_in_phase(Phase.STARTING) == ["engine", "once", "api"]
    assert stage.children_in_phase(Phase.FINISHED) == ["once"]


def test_a_part_that_is_not_in_the_stack_is_not_waited_for(stage: Stage, toy) -> None:
    supervisor = stage.play(toy("api", depends_on=("postgres",)))
    stage.until(lambda: supervisor.settled)
    assert stage.children_in_phase(Phase.READY) == ["api"]


def test_a_crashed_child_rests_and_is_started_again(stage: Stage, toy) -> None:
    supervisor = stage.play(toy("api"), backoff=Backoff(first_s=2))
    stage.until(lambda: supervisor.settled)
    first = psutil.Process(supervisor.pids()["api"])
    first.kill()
    stage.until(lambda: stage.phase("api") is Phase.RESTING)
    assert stage.events[-1].detail == "it was ended by SIGKILL; next try in 2 s"
    stage.now += 1.9
    supervisor.step()
    assert stage.phase("api") is Phase.RESTING
    stage.now += 0.2
    stage.until(lambda: stage.phase("api") is Phase.READY)
    assert supervisor.pids()["api"] != first.pid


def test_the_rest_grows_with_each_crash_and_is_forgotten_after_healthy_time(
    stage: Stage, toy
) -> None:
    supervisor = stage.play(
        toy("api"), backoff=Backoff(first_s=1, cap_s=100, healthy_s=60)
    )
    rests = []
    for healthy_s in (0, 0, 0, 61):
        stage.until(lambda: stage.phase("api") is Phase.READY)
        stage.now += healthy_s
        psutil.Process(supervisor.pids()["api"]).kill()
        stage.until(lambda: stage.phase("api") is Phase.RESTING)
        rests.append(stage.events[-1].detail.rpartition(" in ")[2])
        stage.now += 50
    assert rests == ["1 s", "2 s", "4 s", "1 s"]


def test_a_child_that_never_gets_ready_is_ended_and_counts_as_crashed(
    stage: Stage, toy
) -> None:
    stage.play(toy("api", "exec sleep 600", ready_s=5, start_attempts=2))
    stage.supervisor.step()
    stage.now += 6
    stage.until(lambda: stage.phase("api") is Phase.RESTING)
    assert stage.events[-1].detail.startswith("it was not ready within 5 s")


def test_a_program_that_cannot_be_started_ends_the_start_with_its_last_words(
    stage: Stage, toy
) -> None:
    stage.play(toy("api", "echo first; echo no such table; exit 3"))
    with pytest.raises(
        ChildFailed,
        match=r"api did not come up: it ended with exit code 3.*api\.log and ends: no such table",
    ):
        stage.until(lambda: False)


def test_an_old_ready_file_does_not_make_a_child_ready(stage: Stage, toy) -> None:
    stage.home.ready_file("api").touch()
    supervisor = stage.play(toy("api", "exec sleep 600"))
    for _ in range(3):
        supervisor.step()
    assert stage.phase("api") is Phase.STARTING


def test_children_stop_in_the_reverse_of_their_order(stage: Stage, toy) -> None:
    supervisor = stage.play(
        toy("db"), toy("api", depends_on=("db",)), toy("beat", depends_on=("db", "api"))
    )
    stage.until(lambda: supervisor.settled)
    processes = [psutil.Process(pid) for pid in supervisor.pids().values()]
    supervisor.stop(threading.Event())
    assert stage.children_in_phase(Phase.STOPPED) == ["beat", "api", "db"]
    assert not any(process.is_running() for process in processes)


def test_a_child_deaf_to_the_signal_is_killed_in_the_end(stage: Stage, toy) -> None:
    line = 'trap "" TERM; touch "$SERA_READY_FILE"; while :; do sleep 600; done'
    supervisor = stage.play(toy("deaf", line, stop_s=0))
    stage.until(lambda: supervisor.settled)
    process = psutil.Process(supervisor.pids()["deaf"])
    supervisor.stop(threading.Event())
    assert not process.is_running()


SILENT = 'echo 0 > "$SERA_ALIVE_FILE"; touch "$SERA_READY_FILE"; exec sleep 600'
"""It may have been silent since the machine was started, and no longer."""


def test_a_child_that_lives_but_completes_nothing_is_ended_and_started_again(
    stage: Stage, toy
) -> None:
    supervisor = stage.play(
        toy("worker", SILENT, liveness_command=("/bin/sh", "-c", "exit 1")),
        backoff=Backoff(first_s=2),
    )
    stage.until(lambda: supervisor.settled)
    first = psutil.Process(supervisor.pids()["worker"])
    first.suspend()
    stage.until(lambda: stage.phase("worker") is Phase.RESTING)
    assert (
        stage.events[-1].detail
        == "it lives, but completes nothing while work waits; next try in 2 s"
    )
    assert not first.is_running()
    stage.now += 2.1
    stage.until(lambda: stage.phase("worker") is Phase.READY)


@pytest.mark.parametrize("answer", ["exit 0", "exit 3", "kill -9 $$"])
def test_a_silent_child_is_left_alone_where_it_is_not_known_to_be_stuck(
    stage: Stage, toy, tmp_path, answer
) -> None:
    ask = ("/bin/sh", "-c", f"touch {tmp_path}/asked; {answer}")
    supervisor = stage.play(toy("worker", SILENT, liveness_command=ask))
    stage.until(
        lambda: (
            (tmp_path / "asked").exists()
            and not supervisor.members["worker"]._watchdog.is_probing
        )
    )
    assert stage.phase("worker") is Phase.READY


def test_a_child_that_keeps_its_promise_is_not_asked_for(
    stage: Stage, toy, tmp_path
) -> None:
    busy = SILENT.replace("echo 0", "echo 99999999999")
    supervisor = stage.play(
        toy(
            "worker",
            busy,
            liveness_command=("/bin/sh", "-c", f"touch {tmp_path}/asked; exit 1"),
        )
    )
    stage.until(lambda: supervisor.settled)
    for _ in range(3):
        supervisor.step()
    assert not supervisor.members["worker"]._watchdog.is_probing
    assert not (tmp_path / "asked").exists()


def test_the_rest_is_short_again_for_a_child_that_worked_before_it_crashed(
    stage: Stage, toy
) -> None:
    stage.play(toy("worker"), backoff=Backoff(first_s=1, cap_s=100, healthy_s=60))
    rests = []
    for worked in (False, False, True):
        stage.until(lambda: stage.phase("worker") is Phase.READY)
        if worked:
            stage.home.alive_file("worker").write_text("5")
        psutil.Process(stage.supervisor.pids()["worker"]).kill()
        stage.until(lambda: stage.phase("worker") is Phase.RESTING)
        rests.append(stage.events[-1].detail.rpartition(" in ")[2])
        stage.now += 50
    assert rests == ["1 s", "2 s", "1 s"]
