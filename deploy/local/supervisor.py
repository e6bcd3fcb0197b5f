"""Keeps children running: ordered start, restart with back-off, stop in reverse order.

One thread runs everything here. The time and the stop request are passed in, so that a step is a
plain function call.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from deploy.local.child import Backoff, Child, describe_exit
from deploy.local.errors import ChildFailed
from deploy.local.home import Home
from deploy.local.process import Process, last_line
from deploy.local.watchdog import Watchdog

STEP_S = 0.05
ORPHAN_SIGNAL_GRACE_S = 8.0
"""How long a child has between its `orphan_signal` and SIGKILL."""


class Phase(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    FINISHED = "finished"
    RESTING = "resting"
    STOPPED = "stopped"


UP = {Phase.READY, Phase.FINISHED}


@dataclass(frozen=True)
class Event:
    """A child changed its phase. `detail` is the reason if it is not obvious."""

    child: str
    phase: Phase
    detail: str = ""


Observer = Callable[[Event], None]


class SupervisedChild:
    """A child with its current process and its next step."""

    def __init__(
        self,
        child: Child,
        home: Home,
        env: Mapping[str, str],
        backoff: Backoff,
        observe: Observer,
    ) -> None:
        self.child = child
        self.phase = Phase.WAITING
        self.process: Process | None = None
        self.failures = 0
        self._home = home
        files = {
            "SERA_READY_FILE": home.ready_file(child.name),
            "SERA_ALIVE_FILE": home.alive_file(child.name),
        }
        self._env = {
            **env,
            **dict(child.env),
            **{name: str(path) for name, path in files.items()},
        }
        self._watchdog = Watchdog(
            child.liveness_command, self._env, home.alive_file(child.name)
        )
        self._backoff = backoff
        self._observe = observe
        self._phase_started_s = 0.0
        self._next_start_s = 0.0
        self._stop_by: float | None = None
        self._sent_orphan_signal = False
        self._fault = ""

    @property
    def alive(self) -> bool:
        return self.process is not None

    def step(self, now: float, may_start: bool) -> None:
        """Take the next step if its time has come."""
        if (
            self.phase in (Phase.WAITING, Phase.RESTING)
            and may_start
            and now >= self._next_start_s
        ):
            self._start(now)
        elif self.phase in (Phase.STARTING, Phase.READY) and self.process is not None:
            self._watch(self.process, now)

    def _start(self, now: float) -> None:
        self._fault = ""
        try:
            self._home.ready_file(self.child.name).unlink(missing_ok=True)
            self._watchdog.stop()
            self.child.prepare()
            self.process = Process(
                self.child, self._env, self._home.log(self.child.name)
            )
        except OSError as refused:
            # No process, memory or disk space left: treated like a crash.
            self._rest(now, f"it could not be started ({refused})")
        else:
            self._enter(Phase.STARTING, now)

    def _watch(self, process: Process, now: float) -> None:
        code = process.exit_code()
        if code is not None:
            self._on_exit(code, now)
        elif (
            self.phase is Phase.STARTING
            and not self.child.one_shot
            and self.child.ready(self._env)
        ):
            self._watchdog.start()
            self._enter(Phase.READY, now)
        elif self.phase is Phase.READY and self._watchdog.is_stuck():
            self._fault = "it lives, but completes nothing while work waits"
            process.kill()
        elif (
            self.phase is Phase.STARTING
            and now - self._phase_started_s > self.child.ready_s
        ):
            self._fault = f"it was not ready within {self.child.ready_s:g} s"
            process.kill()

    def _on_exit(self, code: int, now: float) -> None:
        self.process = None
        if self.child.one_shot and code == 0:
            self._enter(Phase.FINISHED, now)
            return
        if self.phase is Phase.READY and (
            now - self._phase_started_s >= self._backoff.healthy_s
            or self._watchdog.has_progressed()
        ):
            self.failures = 0
        self._watchdog.stop()
        self._rest(now, self._fault or describe_exit(code))

    def _rest(self, now: float, how: str) -> None:
        self.failures += 1
        rest_s = self._backoff.delay_s(self.failures)
        self._next_start_s = now + rest_s
        self._enter(Phase.RESTING, now, f"{how}; next try in {rest_s:g} s")

    def _enter(self, phase: Phase, now: float, detail: str = "") -> None:
        self.phase = phase
        self._phase_started_s = now
        self._observe(Event(self.child.name, phase, detail))

    def stop(self, now: float, hurry: bool) -> None:
        """Stop in steps: stop signal, orphan signal, SIGKILL. Call it until `alive` is false."""
        if self.process is None:
            return
        if self._stop_by is None:
            self._stop_by = now + self.child.stop_s
            self.process.send(self.child.stop_signal)
        elif not self._sent_orphan_signal and (hurry or now >= self._stop_by):
            self._sent_orphan_signal = True
            self._stop_by = now + ORPHAN_SIGNAL_GRACE_S
            self.process.send(self.child.orphan_signal)
        elif now >= self._stop_by:
            self.process.kill()
        if self.process.exit_code() is not None:
            self.process = None
            self._watchdog.stop()
            self._home.ready_file(self.child.name).unlink(missing_ok=True)
            self._enter(Phase.STOPPED, now)

    def failed_to_start(self) -> bool:
        return (
            self.phase is Phase.RESTING and self.failures >= self.child.start_attempts
        )

    def failure(self, detail: str) -> ChildFailed:
        log = self._home.log(self.child.name)
        last = last_line(log)
        return ChildFailed(
            child=self.child.name,
            how=detail,
            log=log,
            ending=f" and ends: {last}" if last else ".",
        )


class Supervisor:
    """All children of a stack."""

    def __init__(
        self,
        children: Sequence[Child],
        home: Home,
        env: Mapping[str, str],
        *,
        backoff: Backoff | None = None,
        observe: Observer = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.settled = False
        """True once every child has been up."""
        self._observe = observe
        self.members = {
            c.name: SupervisedChild(c, home, env, backoff or Backoff(), self._on_event)
            for c in children
        }

    def pids(self) -> dict[str, int]:
        return {
            name: member.process.pid
            for name, member in self.members.items()
            if member.process
        }

    def step(self) -> None:
        """Advance every child. Before all have been up once, a failing child ends the start."""
        now = self._clock()
        for member in self.members.values():
            member.step(now, self._may_start(member))
        self.settled = self.settled or all(m.phase in UP for m in self.members.values())

    def run(
        self,
        stop: threading.Event,
        hurry: threading.Event,
        on_settled: Callable[[], None],
    ) -> None:
        """Supervise until `stop` is set, then stop all children; `hurry` stops them faster."""
        try:
            while not stop.is_set():
                was_settled = self.settled
                self.step()
                if self.settled and not was_settled:
                    on_settled()
                stop.wait(STEP_S)
        finally:
            self.stop(hurry)

    def stop(self, hurry: threading.Event) -> None:
        """Stop children on which no running child depends, until none is left."""
        while running_children := [m for m in self.members.values() if m.alive]:
            needed_names = {
                name for member in running_children for name in member.child.depends_on
            }
            for member in running_children:
                if member.child.name not in needed_names:
                    member.stop(self._clock(), hurry.is_set())
            time.sleep(STEP_S)

    def _may_start(self, member: SupervisedChild) -> bool:
        """Whether all dependencies are up. A dependency outside this stack is ignored."""
        return all(
            self.members[n].phase in UP
            for n in member.child.depends_on
            if n in self.members
        )

    def _on_event(self, event: Event) -> None:
        self._observe(event)
        member = self.members[event.child]
        if (
            event.phase is Phase.RESTING
            and not self.settled
            and member.failed_to_start()
        ):
            raise member.failure(event.detail.split(";")[0])
