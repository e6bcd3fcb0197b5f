"""Checks which services are unavailable, for `/readyz` and the metrics."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from services.api.dependencies import Dependencies
from shared.errors import Unavailable
from shared.observability.disk_space import check_space

ABSENT = "0" * 64
"""A hash that no object has. A request for it shows whether the object store responds."""

DEGRADING = ("broker", "workers", "space")


class Stalled(Unavailable):
    code = "stalled"
    text = (
        "Cases have waited for over {after_s:g} s and none was answered. See the workers' logs, "
        "and whether a model is "
        "live: `./sera models list`."
    )


def required_checks(dependencies: Dependencies) -> dict[str, str]:
    """Check the services without which no case can be accepted. Returns `ok` or the fault for each
    service.
    """
    stored = partial(dependencies.objects.exists, ABSENT)
    return {"database": _state(dependencies.ledger.ping), "objects": _state(stored)}


def degraded_checks(dependencies: Dependencies) -> dict[str, str]:
    """Return the faults that delay or prevent the analysis of accepted cases."""
    checks: tuple[Callable[[], object], ...] = (
        dependencies.notifier.check,
        partial(check_work, dependencies),
        partial(check_space, dependencies.settings),
    )
    faults = {}
    for name, check in zip(DEGRADING, checks, strict=True):
        state = _state(check)
        if state != "ok":
            faults[name] = state
    return faults


def check_work(dependencies: Dependencies) -> None:
    """Raise Stalled if cases wait and none is being analysed."""
    with dependencies.ledger.system_session("gateway") as session:
        progress = session.queue.progress()
        waited_s = session.liveness.longest_wait_s()
    if replace(progress, oldest_queued_s=waited_s).is_stalled(
        dependencies.settings.stalled_after_s
    ):
        raise Stalled(after_s=dependencies.settings.stalled_after_s)


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except Unavailable as error:
        return str(error)
    return "ok"
