"""`python -m services.worker.liveness_probe`: exits with 1 if the worker completes nothing while work waits for it, else with 0.

For `./sera up` and for a liveness probe beside the worker, with the worker's own settings. A worker that says that it
gets on costs no more than a look into its file; it also counts as alive where nobody can tell, or it can do nothing:
a restart would not help.
"""

import sys
from collections.abc import Callable

from shared.errors import Unavailable
from shared.ledger import Ledger
from shared.observability.liveness import is_overdue
from shared.queueing import CeleryNotifier, celery_app
from shared.settings import Settings


def is_stuck(settings: Settings) -> bool:
    """Whether it has been silent for too long, and something waited for it all that time."""
    path = settings.alive_file
    return path is not None and is_overdue(path) and _kept_waiting(settings)


def _kept_waiting(settings: Settings) -> bool:
    ledger = Ledger(settings.database, pool_size=1)
    try:
        CeleryNotifier(celery_app(settings.broker)).check()
        with ledger.system_session("liveness") as session:
            return (
                session.liveness.longest_wait_s(settings.worker_name) > settings.stuck_after_s
            )
    except Unavailable:
        return False
    finally:
        ledger.close()


def main(say: Callable[[str], object] = print) -> int:
    settings = Settings()
    if not is_stuck(settings):
        return 0
    say(
        f"{settings.worker_name} has completed nothing for {settings.stuck_after_s:g} s while cases wait. Restart it."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
