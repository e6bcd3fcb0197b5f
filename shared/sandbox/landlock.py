"""Landlock: the kernel keeps this process from every file but those of some folders.

The numbers are those of linux/landlock.h, described in the kernel's
userspace-api/landlock documentation.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from shared.sandbox.libc import system_call

CREATE_RULESET = 444
ADD_RULE = 445
RESTRICT_SELF = 446
ASK_VERSION = 1
RULE_PATH_BENEATH = 1
READ_FILE = 1 << 2
READ_DIRECTORY = 1 << 3
FILE_RIGHTS_BY_VERSION = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""The rights to files that each version of Landlock added."""
NETWORK_VERSION = 4
NETWORK_RIGHTS = 0b11
"""To bind and to connect TCP sockets."""
SCOPE_VERSION = 6
SCOPES = 0b11
"""Abstract Unix sockets and signals, to processes outside."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def landlock_version() -> int:
    """Return the version of Landlock that the kernel has; 0 if it has none."""
    try:
        return system_call(CREATE_RULESET, None, 0, ASK_VERSION)
    except OSError:
        return 0


def restrict_files(readable_folders: Iterable[Path]) -> None:
    """Take from the calling thread all files except what lies in these folders, to be read.

    Open files remain open. Where the kernel can, TCP, abstract Unix sockets and signals to other
    processes are taken as well. The thread must have given up new privileges. Raises OSError.
    """
    version = landlock_version()
    file_rights = 0
    for since, rights in FILE_RIGHTS_BY_VERSION.items():
        file_rights |= rights if version >= since else 0
    attributes = _Ruleset(
        files=file_rights,
        network=NETWORK_RIGHTS if version >= NETWORK_VERSION else 0,
        scopes=SCOPES if version >= SCOPE_VERSION else 0,
    )
    size = ctypes.sizeof(attributes)
    ruleset = system_call(CREATE_RULESET, ctypes.byref(attributes), size, 0)
    try:
        for folder in readable_folders:
            _allow_reading(ruleset, folder)
        system_call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_reading(ruleset: int, folder: Path) -> None:
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathRule(rights=READ_FILE | READ_DIRECTORY, folder=descriptor)
        system_call(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
