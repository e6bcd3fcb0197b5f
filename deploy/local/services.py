"""The services of a stack, as data. What each needs to know comes to it through SERA_* variables."""

import os
from collections.abc import Sequence
from dataclasses import replace

from deploy.local.child import Child, answers_http, python

ENGINES = ("postgres", "valkey")
MIGRATIONS = "migrate"

SERVICES = (
    Child(
        MIGRATIONS,
        python("shared.ledger", "migrate"),
        after=("postgres",),
        one_shot=True,
        start_attempts=2,
    ),
    Child(
        "api",
        python("services.api"),
        after=(*ENGINES, MIGRATIONS),
        ready=answers_http("/readyz"),
    ),
    Child(
        "worker",
        python("services.worker"),
        after=(*ENGINES, MIGRATIONS),
        alive=python("services.worker.liveness_probe"),
    ),
    Child("shadow", python("services.worker.shadow"), after=(*ENGINES, MIGRATIONS)),
    Child("trainer", python("services.trainer"), after=(*ENGINES, MIGRATIONS)),
    Child("beat", python("services.beat"), after=(*ENGINES, MIGRATIONS)),
)


def with_trainers(services: Sequence[Child], count: int) -> tuple[Child, ...]:
    """The same services with that many trainers, which share this machine's cores among them."""
    return tuple(
        each
        for child in services
        for each in (_trainers(child, count) if child.name == "trainer" else [child])
    )


def _trainers(child: Child, count: int) -> list[Child]:
    if count == 1:
        return [child]
    threads = str(max((os.cpu_count() or 1) // max(count, 1), 1))
    env = (("OMP_NUM_THREADS", threads),)
    return [
        replace(child, name=f"trainer-{number + 1}", env=env) for number in range(count)
    ]
