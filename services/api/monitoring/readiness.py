"""Checks which services are unavailable, for `/readyz` and the metrics."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial

from services.api.dependencies import Dependencies
from services.api.monitoring.probe import Check
from shared.errors import Unavailable
from shared.observability.disk_space import check_space

ABSENT = "0" * 64
"""A hash that no object has. A request for it shows whether the object store responds."""

DEGRADING = ("broker", "workers", "space")
CHECK_S = 1.5
"""How long a check may take until its service counts as unavailable. `/readyz` answers within 2 s.
"""
States = dict[str, str]


class NoAnswer(Unavailable):
    code = "no-answer"
    text = "It has not responded for {seconds:g} s. Check whether it runs and is overloaded."


class Stalled(Unavailable):
    code = "stalled"
    text = (
        "Cases have waited for over {after_s:g} s and none was answered. See the workers' logs, "
        "and whether a model is "
        "live: `./sera models list`."
    )


async def read_readiness(dependencies: Dependencies) -> tuple[States, States]:
    """Return what `required_checks` and `degraded_checks` return, and hold no thread meanwhile."""
    required = dependencies.readiness.start(_required(dependencies))
    degrading = dependencies.readiness.start(_degrading(dependencies))
    checks = [*required.values(), *degrading.values()]
    await asyncio.wait(map(asyncio.wrap_future, checks), timeout=CHECK_S)
    return _states(required), _faults(degrading)


def required_checks(dependencies: Dependencies) -> States:
    """Check the services without which no case can be accepted. Returns `ok` or the fault for each
    service, after CHECK_S at most.
    """
    checks = dependencies.readiness.start(_required(dependencies))
    wait(checks.values(), timeout=CHECK_S)
    return _states(checks)


def degraded_checks(dependencies: Dependencies) -> States:
    """Return the faults that delay or prevent the analysis of accepted cases, after CHECK_S at
    most.
    """
    checks = dependencies.readiness.start(_degrading(dependencies))
    wait(checks.values(), timeout=CHECK_S)
    return _faults(checks)


def _required(dependencies: Dependencies) -> Mapping[str, Check]:
    stored = partial(dependencies.objects.exists, ABSENT)
    return {"database": dependencies.ledger.ping, "objects": stored}


def _degrading(dependencies: Dependencies) -> Mapping[str, Check]:
    checks: tuple[Check, ...] = (
        dependencies.notifier.check,
        partial(check_work, dependencies),
        partial(check_space, dependencies.settings),
    )
    return dict(zip(DEGRADING, checks, strict=True))


def _states(checks: Mapping[str, Future[str]]) -> States:
    return {
        name: check.result() if check.done() else str(NoAnswer(seconds=CHECK_S))
        for name, check in checks.items()
    }


def _faults(checks: Mapping[str, Future[str]]) -> States:
    return {name: state for name, state in _states(checks).items() if state != "ok"}


def check_work(dependencies: Dependencies) -> None:
    """Raise Stalled if cases wait and none is being analysed."""
    with dependencies.ledger.system_session("gateway") as session:
        progress = session.queue.progress()
        waited_s = session.liveness.longest_wait_s()
    if replace(progress, oldest_queued_s=waited_s).is_stalled(
        dependencies.settings.stalled_after_s
    ):
        raise Stalled(after_s=dependencies.settings.stalled_after_s)
