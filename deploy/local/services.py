"""Defines the service processes of a stack. SERA_* variables configure each of them."""

import os
from collections.abc import Sequence
from dataclasses import replace

from deploy.local.child import Child, python, responds_to_http

ENGINES = ("postgres", "valkey")
MIGRATIONS = "migrate"

SERVICES = (
    Child(
        MIGRATIONS,
        python("shared.ledger", "migrate"),
        depends_on=("postgres",),
        one_shot=True,
        start_attempts=2,
    ),
    Child(
        "api",
        python("services.api"),
        depends_on=(*ENGINES, MIGRATIONS),
        ready=responds_to_http("/readyz"),
    ),
    Child(
        "worker",
        python("services.worker"),
        depends_on=(*ENGINES, MIGRATIONS),
        liveness_command=python("services.worker.liveness_probe"),
    ),
    Child(
        "shadow", python("services.worker.shadow"), depends_on=(*ENGINES, MIGRATIONS)
    ),
    Child("trainer", python("services.trainer"), depends_on=(*ENGINES, MIGRATIONS)),
    Child("beat", python("services.beat"), depends_on=(*ENGINES, MIGRATIONS)),
)


def with_trainers(services: Sequence[Child], count: int) -> tuple[Child, ...]:
    """Replace the trainer by `count` trainers that share this machine's cores."""
    services_with_trainers: list[Child] = []
    for child in services:
        if child.name == "trainer":
            services_with_trainers += _trainers(child, count)
        else:
            services_with_trainers.append(child)
    return tuple(services_with_trainers)


def _trainers(child: Child, count: int) -> list[Child]:
    if count == 1:
        return [child]
    threads = str(max((os.cpu_count() or 1) // max(count, 1), 1))
    env = (("OMP_NUM_THREADS", threads),)
    return [
        replace(child, name=f"trainer-{number + 1}", env=env) for number in range(count)
    ]
