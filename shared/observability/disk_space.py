"""Free space on a disk, and how to recognise the errors of a full one."""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Unavailable
from shared.settings import Settings

MIB = 1024**2
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk is full, the quota is used up, or one file has reached a process's size limit."""
DISK_FULL_TEXTS = tuple(os.strerror(number) for number in DISK_FULL_ERRNOS)


@dataclass(frozen=True)
class DiskUsage:
    """Bytes of a disk, and how many of them are free."""

    total: int
    free: int


class SpaceLow(Unavailable):
    code = "space-low"
    text = (
        "{free_mib} MiB are free at {place}, fewer than {least_mib}. Free some space before the "
        "disk is full."
    )


def is_disk_full(error: BaseException | None) -> bool:
    """Whether this error, or one that caused it, is the system's error for a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
            return True
        error = error.__cause__
    return False


def free_mib(folder: Path) -> float:
    """Free MiB on the disk of a folder, which need not exist yet."""
    return disk_usage(folder).free / MIB


def disk_usage(folder: Path) -> DiskUsage:
    """The disk of a folder, which need not exist yet."""
    usage = shutil.disk_usage(nearest_existing(folder))
    return DiskUsage(total=usage.total, free=usage.free)


def nearest_existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def check_space(settings: Settings) -> None:
    """Raises SpaceLow if the home has less free space than the setting `least_free_mib`."""
    free = free_mib(settings.home)
    if free < settings.least_free_mib:
        raise SpaceLow(
            free_mib=int(free), place=settings.home, least_mib=settings.least_free_mib
        )
