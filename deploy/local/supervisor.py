"""Keeps children running: ordered start, restart with back-off, stop in reverse order.

One thread owns everything here. Time and the wish to stop come in from outside, so that a step is a
plain call.
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
from deploy.local.watchdog import Vigil

STEP_S = 0.05
INSIST_S = 8.0
"""What a child gets between being told to end at once and being killed."""


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
    """A child changed its phase; `detail` says why where that is not plain."""

    child: str
    phase: Phase
    detail: str = ""


Observer = Callable[[Event], None]


class Member:
    """A child, the process that is it at present, and what is to happen next."""

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
        self._vigil = Vigil(child.alive, self._env, home.alive_file(child.name))
        self._backoff = backoff
        self._observe = observe
        self._since = 0.0
        self._due = 0.0
        self._stop_by: float | None = None
        self._insisted = False
        self._fault = ""

    @property
    def alive(self) -> bool:
        return self.process is not None

    def step(self, now: float, may_start: bool) -> None:
        """Do what is due."""
        if (
            self.phase in (Phase.WAITING, Phase.RESTING)
            and may_start
            and now >= self._due
        ):
            self._start(now)
        elif self.phase in (Phase.STARTING, Phase.READY) and self.process is not None:
            self._watch(self.process, now)

    def _start(self, now: float) -> None:
        self._fault = ""
        try:
            self._home.ready_file(self.child.name).unlink(missing_ok=True)
            self._vigil.end()
            self.child.prepare()
            self.process = Process(
                self.child, self._env, self._home.log(self.child.name)
            )
        except (
            OSError
        ) as refused:  # out of processes, memory or disk: as good as a crash
            self._rest(now, f"it could not be started ({refused})")
        else:
            self._enter(Phase.STARTING, now)

    def _watch(self, process: Process, now: float) -> None:
        code = process.exit_code()
        if code is not None:
            self._ended(code, now)
        elif (
            self.phase is Phase.STARTING
            and not self.child.one_shot
            and self.child.ready(self._env)
        ):
            self._vigil.begin()
            self._enter(Phase.READY, now)
        elif self.phase is Phase.READY and self._vigil.stuck():
            self._fault = "it lives, but completes nothing while work waits"
            process.kill()
        elif self.phase is Phase.STARTING and now - self._since > self.child.ready_s:
            self._fault = f"it was not ready within {self.child.ready_s:g} s"
            process.kill()

    def _ended(self, code: int, now: float) -> None:
        self.process = None
        if self.child.one_shot and code == 0:
            self._enter(Phase.FINISHED, now)
            return
        if self.phase is Phase.READY and (
            now - self._since >= self._backoff.healthy_s or self._vigil.worked()
        ):
            self.failures = 0
        self._vigil.end()
        self._rest(now, self._fault or describe_exit(code))

    def _rest(self, now: float, how: str) -> None:
        self.failures += 1
        rest_s = self._backoff.delay_s(self.failures)
        self._due = now + rest_s
        self._enter(Phase.RESTING, now, f"{how}; next try in {rest_s:g} s")

    def _enter(self, phase: Phase, now: float, detail: str = "") -> None:
        self.phase = phase
        self._since = now
        self._observe(Event(self.child.name, phase, detail))

    def stop(self, now: float, hurry: bool) -> None:
        """Ask, insist, kill; call it until `alive` is false."""
        if self.process is None:
            return
        if self._stop_by is None:
            self._stop_by = now + self.child.stop_s
            self.process.send(self.child.stop_signal)
        elif not self._insisted and (hurry or now >= self._stop_by):
            self._insisted = True
            self._stop_by = now + INSIST_S
            self.process.send(self.child.orphan_signal)
        elif now >= self._stop_by:
            self.process.kill()
        if self.process.exit_code() is not None:
            self.process = None
            self._vigil.end()
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
    """All members together."""

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
        self._told = observe
        self.members = {
            c.name: Member(c, home, env, backoff or Backoff(), self._heard)
            for c in children
        }

    def pids(self) -> dict[str, int]:
        return {
            name: member.process.pid
            for name, member in self.members.items()
            if member.process
        }

    def step(self) -> None:
        """Let every member do what is due. Before all have been up once, one that fails ends the
        start.
        """
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
        """Supervise until `stop` is set, then stop all; `hurry` cuts the farewells short."""
        try:
            while not stop.is_set():
                before = self.settled
                self.step()
                if self.settled and not before:
                    on_settled()
                stop.wait(STEP_S)
        finally:
            self.stop(hurry)

    def stop(self, hurry: threading.Event) -> None:
        """Stop the children nobody alive depends on, until none is left."""
        while living := [m for m in self.members.values() if m.alive]:
            needed = {name for member in living for name in member.child.after}
            for member in living:
                if member.child.name not in needed:
                    member.stop(self._clock(), hurry.is_set())
            time.sleep(STEP_S)

    def _may_start(self, member: Member) -> bool:
        """All that it comes after are up; one that is not part of this stack is somebody else's to
        run.
        """
        return all(
            self.members[n].phase in UP for n in member.child.after if n in self.members
        )

    def _heard(self, event: Event) -> None:
        self._told(event)
        member = self.members[event.child]
        if (
            event.phase is Phase.RESTING
            and not self.settled
            and member.failed_to_start()
        ):
            raise member.failure(event.detail.split(";")[0])
