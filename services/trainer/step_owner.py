"""Whose a step is: a process of a machine, so that a successor can tell at once that it has died."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from socket import gethostname
from typing import Self

import psutil


@dataclass(frozen=True)
class Owner:
    """Process numbers are used again, so the time at which the process began is part of the name."""

    host: str
    pid: int
    began: float

    @classmethod
    def here(cls) -> Self:
        return cls(gethostname(), os.getpid(), psutil.Process().create_time())

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.began:.2f}"

    def gone(self, owners: Iterable[str]) -> list[str]:
        """Those that ran on this machine and do no more; of other machines nothing is known."""
        return [
            owner
            for owner in owners
            if owner.startswith(f"{self.host}/") and not _alive(owner)
        ]


def _alive(owner: str) -> bool:
    _, pid, began = owner.rsplit("/", 2)
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(began)) < 1
    except psutil.NoSuchProcess:
        return False
