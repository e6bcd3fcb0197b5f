"""Identifies the process that owns a step, so that another process can detect that the owner has
died.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from socket import gethostname
from typing import Self

import psutil


@dataclass(frozen=True)
class StepOwner:
    """The name contains the process's start time, because process ids are reused."""

    host: str
    pid: int
    began: float

    @classmethod
    def current(cls) -> Self:
        return cls(
            host=gethostname(),
            pid=os.getpid(),
            began=psutil.Process().create_time(),
        )

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.began:.2f}"

    def dead_owners(self, owners: Iterable[str]) -> list[str]:
        """Return the owners on this machine whose process has ended. Other machines cannot be
        checked.
        """
        prefix = f"{self.host}/"
        local_owners = [owner for owner in owners if owner.startswith(prefix)]
        return [owner for owner in local_owners if not _is_alive(owner)]


def _is_alive(owner: str) -> bool:
    _, pid, began = owner.rsplit("/", 2)
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(began)) < 1
    except psutil.NoSuchProcess:
        return False
