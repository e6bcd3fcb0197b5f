"""Which parts are away, and what each keeps from being done."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from services.api.dependencies import Dependencies
from shared.errors import Unavailable
from shared.observability.disk_space import check_space

ABSENT = "0" * 64
"""A hash nothing has; asking for it shows that the store answers."""

DEGRADING = ("broker", "workers", "space")


class Stalled(Unavailable):
    code = "stalled"
    text = (
        "Cases have waited for over {after_s:g} s and none was answered. See the workers' logs, and whether a model is "
        "live: `./sera models list`."
    )


def required_checks(dependencies: Dependencies) -> dict[str, str]:
    """What must answer for a case to be taken: `ok`, or what is wrong."""
    stored = partial(dependencies.objects.exists, ABSENT)
    return {"database": _state(dependencies.ledger.ping), "objects": _state(stored)}


def degraded_checks(dependencies: Dependencies) -> dict[str, str]:
    """What keeps cases from being answered as they should; only what is wrong."""
    checks: tuple[Callable[[], object], ...] = (
        dependencies.notifier.check,
        partial(check_work, dependencies),
        partial(check_space, dependencies.settings),
    )
    states = {
        name: _state(check) for name, check in zip(DEGRADING, checks, strict=True)
    }
    return {name: state for name, state in states.items() if state != "ok"}


def check_work(dependencies: Dependencies) -> None:
    """Raises Stalled if cases wait and none is being answered."""
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
