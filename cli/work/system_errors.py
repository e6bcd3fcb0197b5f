"""Names what a folder that is read-only, closed, full or no folder does to a command."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from shared.errors import InputError, SeraError
from shared.observability.disk_space import DISK_FULL_ERRNOS, nearest_existing

CLOSED_ERRNOS = (errno.EROFS, errno.EACCES, errno.EPERM)
MISPLACED_ERRNOS = (errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG)
NEARLY_FULL_BYTES = 1 << 20


class PlaceUnusable(InputError):
    code = "place-unusable"
    text = (
        "{place} cannot be used ({problem}). Make it a folder or file that this user may write, or "
        "name another place (SERA_HOME for SERA's data, TMPDIR for temporary files, else an "
        "argument), then run the command again."
    )


class DiskFull(InputError):
    code = "disk-full"
    text = (
        "No space is left ({problem}) at {place}. Free some, or name a place on another disk "
        "(SERA_HOME for SERA's data, TMPDIR for temporary files, else an argument), then run the "
        "command again."
    )


def named_error(error: BaseException) -> SeraError | None:
    """Return the error that says which place fails and what to do, or None if it is another fault.

    A write to an open file names no place: then every place of this command whose disk has less than
    1 MiB left is named.
    """
    cause = _disk_error(error)
    if cause is not None:
        places = [cause.filename] if cause.filename else list(_full_places())
        place = ", ".join(map(str, places)) or "SERA_HOME or TMPDIR"
        return DiskFull(place=place, problem=cause.strerror)
    if (
        isinstance(error, OSError)
        and error.errno in CLOSED_ERRNOS + MISPLACED_ERRNOS
        and error.filename is not None
    ):
        return PlaceUnusable(place=error.filename, problem=error.strerror)
    return None


def _disk_error(error: BaseException | None) -> OSError | None:
    """The first of an error and its causes that the system raised for a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
            return error
        error = error.__cause__
    return None


def _full_places() -> Iterator[Path]:
    arguments = [Path(argument) for argument in sys.argv[1:]]
    temporary_folder = Path(tempfile.gettempdir())
    home = Path(os.environ.get("SERA_HOME", ".sera"))
    for place in dict.fromkeys((home, temporary_folder, *arguments)):
        with suppress(OSError, ValueError):
            existing = nearest_existing(place.absolute())
            if shutil.disk_usage(existing).free < NEARLY_FULL_BYTES:
                yield place
