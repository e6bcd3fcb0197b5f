"""A small file system in memory, which can be filled to the last byte."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
SIZE_MIB = 1024
"""More than the home of the largest trial takes."""
CHUNKS_BYTES = (1 << 20, 4096)


class NoFileSystem(Exception):
    """Why no file system can be mounted here."""


@contextmanager
def small_file_system(folder: Path, size_mib: int = SIZE_MIB) -> Iterator[None]:
    """Mount a file system on an empty folder. Afterwards the folder has its content, without it.

    Only the calling thread, and the threads and processes that it starts, see the mount. So it is
    gone at the latest when they are, however they end. Raises NoFileSystem, before the block.
    """
    if os.geteuid() != 0:
        raise NoFileSystem("only root may mount one")
    folder.mkdir(parents=True, exist_ok=True)
    _leave_mounts_of_others()
    _run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=700", "sera", folder)
    try:
        yield
    finally:
        _unmount(folder)


def fill(file: Path) -> None:
    """Let a file grow until its file system has no free block."""
    with file.open("wb", buffering=0) as growing:
        for chunk in CHUNKS_BYTES:
            try:
                while True:
                    growing.write(bytes(chunk))
            except OSError:
                continue  # full: the smaller chunk may still fit


def _unmount(folder: Path) -> None:
    """Copy the content to the file system below, and let that take the folder's place."""
    copy = folder.with_name(folder.name + "-copy")
    try:
        _run("cp", "--archive", folder, copy)
    finally:
        _run("umount", "--lazy", folder)
    folder.rmdir()
    copy.rename(folder)


def _leave_mounts_of_others() -> None:
    """Give this thread a list of mounts of its own, which those of other processes do not join."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise NoFileSystem(os.strerror(ctypes.get_errno()))
    _run("mount", "--make-rprivate", "/")


def _run(program: str, *arguments: str | Path) -> None:
    if not shutil.which(program):
        raise NoFileSystem(f"the program {program} is missing")
    process = subprocess.run(
        (program, *arguments), capture_output=True, text=True, check=False
    )
    if process.returncode != 0:
        raise NoFileSystem(process.stderr.strip() or f"{program} failed")
