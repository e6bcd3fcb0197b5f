"""Reads files that a user or a table names, and nothing that is no file."""

import os
import stat
from pathlib import Path

from shared.errors import InputError

MAX_FILE_BYTES = 2**30
"""Larger than any image or loop that SERA reads."""


class FileUnreadable(InputError):
    code = "file-unreadable"
    text = (
        "{name} cannot be opened ({problem}). "
        "Correct its path or its rights, then run the command again."
    )


def read_file(path: Path) -> bytes:
    """Read the bytes of a regular file of at most `MAX_FILE_BYTES`.

    A device or a pipe is not read: it may have no end.

    Raises
    ------
    FileUnreadable
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileUnreadable(name=path.name, problem="it is no file")
            if status.st_size > MAX_FILE_BYTES:
                problem = f"it is larger than {MAX_FILE_BYTES / 2**30:g} GiB"
                raise FileUnreadable(name=path.name, problem=problem)
            return file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:  # a NUL in a name is a ValueError
        problem = getattr(error, "strerror", None) or str(error)
        raise FileUnreadable(name=path.name, problem=problem) from error


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file. A pipe is opened without waiting for its other end."""
    return os.open(path, flags | os.O_NONBLOCK)
