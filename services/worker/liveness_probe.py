"""`python -m services.worker.liveness_probe`: exits with 1 if the worker is stuck, else with 0.

A worker is stuck if it completes nothing while work waits for it. The probe serves `./sera up` and
a liveness probe beside the worker, with the worker's own settings. While the worker reports
progress, a probe only reads the worker's progress file. The worker also counts as alive if its
state is unknown, or if it can do nothing because an engine is unavailable: a restart would not
help.
"""

import sys
from collections.abc import Callable

from shared.errors import Unavailable
from shared.ledger import Ledger
from shared.observability.liveness import is_overdue
from shared.queueing import CeleryNotifier, celery_app
from shared.settings import Settings


def is_stuck(settings: Settings) -> bool:
    """Return whether the worker was silent for too long, and work waited for it all that time."""
    path = settings.alive_file
    if path is None or not is_overdue(path):
        return False
    return _has_work_waited(settings)


def _has_work_waited(settings: Settings) -> bool:
    ledger = Ledger(settings.database, pool_size=1)
    try:
        CeleryNotifier(celery_app(settings.broker)).check()
        with ledger.system_session("liveness") as session:
            waited_s = session.liveness.longest_wait_s(settings.worker_name)
        return waited_s > settings.stuck_after_s
    except Unavailable:
        return False
    finally:
        ledger.close()


def main(output: Callable[[str], object] = print) -> int:
    settings = Settings()
    if not is_stuck(settings):
        return 0
    output(
        f"{settings.worker_name} has completed nothing for {settings.stuck_after_s:g} s while "
        "cases wait. Restart it."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
