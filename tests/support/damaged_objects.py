"""What a bad disk, a careless restore or an attacker makes of a stored file."""

import os
from pathlib import Path

from tests.support.builders import png

OTHER_IMAGE = png(5)


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def swap(path: Path) -> None:
    """A valid image, but another one."""
    path.write_bytes(OTHER_IMAGE)


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_pipe(path: Path) -> None:
    """Nobody writes into the pipe, so that an ordinary read never ends."""
    path.unlink()
    os.mkfifo(path)


DAMAGES = {
    remove: (410, "object-missing"),
    cut: (409, "object-corrupt"),
    empty: (409, "object-corrupt"),
    change: (409, "object-corrupt"),
    swap: (409, "object-corrupt"),
    put_folder: (410, "object-missing"),
    put_pipe: (410, "object-missing"),
}
"""Each damage, with the status and the code of the error that names it."""
