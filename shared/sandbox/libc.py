"""Calls of the kernel that Python does not offer."""

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def system_call(number: int, *arguments: object) -> int:
    """Call the kernel; each argument is an integer, None or a ctypes pointer. Raises OSError."""
    words = (
        ctypes.c_long(argument) if isinstance(argument, int) else argument
        for argument in arguments
    )
    result: int = _libc.syscall(ctypes.c_long(number), *words)
    return _checked(result)


def set_process_option(option: int, value: int) -> None:
    """Call prctl(2). Raises OSError."""
    unused = ctypes.c_ulong(0)
    _checked(_libc.prctl(option, ctypes.c_ulong(value), unused, unused, unused))


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
