"""Takes from this process everything that foreign bytes could make it misuse."""

import os
import resource
import sys
import sysconfig
from pathlib import Path

import psutil

from shared.sandbox.landlock import landlock_version, restrict_files
from shared.sandbox.libc import PR_SET_NO_NEW_PRIVS, set_process_option
from shared.sandbox.seccomp import has_seccomp, restrict_calls

PROGRAM = Path(__file__).resolve().parents[1]
"""The folder `shared`: the code of SERA that a process may still have to import."""
MAX_OPEN_FILES = 64
SECCOMP = "seccomp"
LANDLOCK = "Landlock"


def missing_mechanisms() -> tuple[str, ...]:
    """Return the names of the kernel's mechanisms that this machine lacks.

    Without seccomp a taken-over process reaches the network and other processes; without Landlock
    it can read the files of its user.
    """
    if sys.platform != "linux":
        return (SECCOMP, LANDLOCK)
    missing = []
    if not has_seccomp():
        missing.append(SECCOMP)
    if landlock_version() == 0:
        missing.append(LANDLOCK)
    return tuple(missing)


def confine(memory_mib: int) -> None:
    """Confine this process for the rest of its life, as far as the kernel can.

    Left are its pipe, the files of the Python installation and of `shared` for reading,
    `memory_mib` of address space beyond what it has, and threads. Output goes nowhere. It must be
    called before a second thread starts, because Landlock restricts one thread and those that it
    starts. Raises OSError if the kernel has a mechanism and refuses it, RuntimeError if there is
    another thread.
    """
    _discard_output()
    _limit_resources(memory_mib)
    if sys.platform != "linux":
        return
    if psutil.Process().num_threads() > 1:
        raise RuntimeError("a process is confined before its second thread starts")
    missing = missing_mechanisms()
    set_process_option(PR_SET_NO_NEW_PRIVS, 1)
    if LANDLOCK not in missing:
        restrict_files(_installation())
    if SECCOMP not in missing:
        restrict_calls()


def _limit_resources(memory_mib: int) -> None:
    max_bytes = psutil.Process().memory_info().vms + (memory_mib << 20)
    limits = {
        resource.RLIMIT_AS: max_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


def _discard_output() -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    os.close(devnull)


def _installation() -> set[Path]:
    """The folders of the standard library and of packages, and the code of SERA.

    The folder that holds all of SERA is left out, because settings and homes may lie in it.
    """
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = {Path(sysconfig.get_path(name)) for name in names}
    folders |= {Path(entry).resolve() for entry in sys.path if entry}
    folders = {folder for folder in folders if not PROGRAM.is_relative_to(folder)}
    return {folder for folder in folders if folder.is_dir()} | {PROGRAM}
