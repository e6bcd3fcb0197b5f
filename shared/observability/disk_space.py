"""Room on a disk: how much is left, and which errors of the system say that there is none."""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Unavailable
from shared.settings import Settings

MIB = 1024**2
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk, the quota, or what a process may write to one file."""
FULL_TEXTS = tuple(os.strerror(number) for number in FULL)


@dataclass(frozen=True)
class Room:
    """Bytes of a disk, and those that are left."""

    total: int
    free: int


class SpaceLow(Unavailable):
    code = "space-low"
    text = "{free_mib} MiB are free at {place}, fewer than {least_mib}. Free some space before the disk is full."


def says_full(error: BaseException | None) -> bool:
    """Whether this error, or one that it came from, is the system's word that there is no room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__
    return False


def free_mib(folder: Path) -> float:
    """What is free where a folder lies, or will."""
    return room(folder).free / MIB


def room(folder: Path) -> Room:
    """Of the disk where a folder lies, or will."""
    usage = shutil.disk_usage(existing(folder))
    return Room(usage.total, usage.free)


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def check_space(settings: Settings) -> None:
    """Raises SpaceLow if the home has less room than it should."""
    free = free_mib(settings.home)
    if free < settings.least_free_mib:
        raise SpaceLow(
            free_mib=int(free), place=settings.home, least_mib=settings.least_free_mib
        )
