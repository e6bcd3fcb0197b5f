"""seccomp: the kernel refuses this process every call but those on a list.

The list is what decoders and numeric libraries need once they are loaded: memory, threads, clocks,
and to read files and the pipe. It has no call that opens a socket, starts a process, writes a file
or reaches another process.
"""

import ctypes
import errno
import os
import platform
from dataclasses import dataclass

from shared.sandbox.libc import system_call

SET_MODE_FILTER = 1
ALL_THREADS = 1
KILL_PROCESS = 0x8000_0000
ALLOW = 0x7FFF_0000
REFUSE = 0x0005_0000
LOAD_WORD = 0x20
JUMP_IF_EQUAL = 0x15
JUMP_IF_AT_LEAST = 0x35
JUMP_IF_ANY_BIT = 0x45
RETURN = 0x06
NUMBER_OFFSET = 0
ARCHITECTURE_OFFSET = 4
ARGUMENTS_OFFSET = 16
X32_CALLS = 0x4000_0000
"""Numbers from here on are a second set of calls on x86-64."""
CLONE_THREAD = 0x0001_0000
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ANY_BIT = 0xFFFF_FFFF


@dataclass(frozen=True)
class _Architecture:
    """The kernel's numbers for one kind of processor, from linux/audit.h and asm/unistd.h.

    `allowed` are calls without a condition; the others are allowed under the one of `_program`.
    `opens` has the position of the argument with the flags.
    """

    audit_number: int
    seccomp: int
    allowed: tuple[int, ...]
    clone: int
    prlimit: int
    opens: dict[int, int]


_X86_64 = _Architecture(
    audit_number=0xC000_003E,
    seccomp=317,
    allowed=(
        *(0, 1, 17, 19, 20),  # read, write, pread64, readv, writev
        *(
            3,
            4,
            5,
            6,
            8,
            262,
            332,
        ),  # close, stat, fstat, lstat, lseek, newfstatat, statx
        *(9, 10, 11, 12, 25, 28),  # mmap, mprotect, munmap, brk, mremap, madvise
        *(13, 14, 15, 131),  # rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack
        *(7, 271),  # poll, ppoll
        *(24, 202, 204),  # sched_yield, futex, sched_getaffinity
        *(35, 96, 201, 228, 229, 230),  # nanosleep, gettimeofday, time, clock_*
        *(36, 38),  # getitimer, setitimer
        *(
            39,
            186,
            102,
            104,
            107,
            108,
        ),  # getpid, gettid, getuid, getgid, geteuid, getegid
        *(44, 45),  # sendto, recvfrom
        *(60, 231),  # exit, exit_group
        *(63, 98, 99, 309, 318),  # uname, getrusage, sysinfo, getcpu, getrandom
        *(
            21,
            79,
            89,
            217,
            267,
            269,
            439,
        ),  # access, getcwd, readlink, getdents64, ...at
        *(273, 324, 334),  # set_robust_list, membarrier, rseq
    ),
    clone=56,
    prlimit=302,
    opens={2: 1, 257: 2},  # open, openat
)
_AARCH64 = _Architecture(
    audit_number=0xC000_00B7,
    seccomp=277,
    allowed=(
        *(63, 64, 65, 66, 67),  # read, write, readv, writev, pread64
        *(57, 62, 79, 80, 291),  # close, lseek, newfstatat, fstat, statx
        *(222, 226, 215, 214, 216, 233),  # mmap, mprotect, munmap, brk, mremap, madvise
        *(
            134,
            135,
            139,
            132,
        ),  # rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack
        73,  # ppoll
        *(124, 98, 123),  # sched_yield, futex, sched_getaffinity
        *(101, 169, 113, 114, 115),  # nanosleep, gettimeofday, clock_*
        *(102, 103),  # getitimer, setitimer
        *(
            172,
            178,
            174,
            176,
            175,
            177,
        ),  # getpid, gettid, getuid, getgid, geteuid, getegid
        *(206, 207),  # sendto, recvfrom
        *(93, 94),  # exit, exit_group
        *(160, 165, 179, 168, 278),  # uname, getrusage, sysinfo, getcpu, getrandom
        *(17, 61, 78, 48, 439),  # getcwd, getdents64, readlinkat, faccessat, faccessat2
        *(99, 283, 293),  # set_robust_list, membarrier, rseq
    ),
    clone=220,
    prlimit=261,
    opens={56: 2},  # openat
)
_ARCHITECTURES = {"x86_64": _X86_64, "aarch64": _AARCH64}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("skip_if_true", ctypes.c_uint8),
        ("skip_if_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_uint16),
        ("instructions", ctypes.POINTER(_Instruction)),
    )


def has_seccomp() -> bool:
    """Return whether the kernel filters calls, and this module knows the processor's numbers."""
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    try:
        # A filter without instructions is refused as invalid only by a kernel that has filters.
        system_call(architecture.seccomp, SET_MODE_FILTER, 0, None)
    except OSError as error:
        return error.errno in (errno.EFAULT, errno.EINVAL)
    return False


def restrict_calls() -> None:
    """Take from all threads of this process every call but those on the list, for good.

    A refused call fails with ENOSYS, so that libraries fall back on what older kernels have. The
    process must have given up new privileges. Raises OSError.
    """
    architecture = _ARCHITECTURES[platform.machine()]
    instructions = _program(architecture)
    table = (_Instruction * len(instructions))(*instructions)
    program = _Program(length=len(instructions), instructions=table)
    result = system_call(
        architecture.seccomp, SET_MODE_FILTER, ALL_THREADS, ctypes.byref(program)
    )
    if result != 0:
        raise OSError(errno.ESRCH, f"thread {result} cannot be restricted")


def _program(architecture: _Architecture) -> list[_Instruction]:
    instructions = [
        _load(ARCHITECTURE_OFFSET),
        _Instruction(JUMP_IF_EQUAL, 1, 0, architecture.audit_number),
        _end(KILL_PROCESS),
        _load(NUMBER_OFFSET),
        _Instruction(JUMP_IF_AT_LEAST, 0, 1, X32_CALLS),
        _end(KILL_PROCESS),
    ]
    for number in architecture.allowed:
        instructions += [_Instruction(JUMP_IF_EQUAL, 0, 1, number), _end(ALLOW)]
    for number, position in architecture.opens.items():
        instructions += _unless(number, [(_low_word(position), WRITING)], errno.EACCES)
    new_limit = _low_word(2)
    reading_limits = [(new_limit, ANY_BIT), (new_limit + 4, ANY_BIT)]
    instructions += _unless(architecture.prlimit, reading_limits, errno.EPERM)
    instructions += [
        _Instruction(JUMP_IF_EQUAL, 0, 4, architecture.clone),
        _load(_low_word(0)),
        _Instruction(JUMP_IF_ANY_BIT, 0, 1, CLONE_THREAD),
        _end(ALLOW),
        _end(REFUSE | errno.EPERM),
    ]
    return [*instructions, _end(REFUSE | errno.ENOSYS)]


def _unless(
    number: int, forbidden: list[tuple[int, int]], error: int
) -> list[_Instruction]:
    """Allow a call unless one of the words, given by its offset, has a bit of its mask."""
    body = []
    for offset, mask in forbidden:
        body += [
            _load(offset),
            _Instruction(JUMP_IF_ANY_BIT, 0, 1, mask),
            _end(REFUSE | error),
        ]
    body.append(_end(ALLOW))
    return [_Instruction(JUMP_IF_EQUAL, 0, len(body), number), *body]


def _low_word(position: int) -> int:
    """The offset of the low half of an argument; both processors are little-endian."""
    return ARGUMENTS_OFFSET + 8 * position


def _load(offset: int) -> _Instruction:
    return _Instruction(LOAD_WORD, 0, 0, offset)


def _end(action: int) -> _Instruction:
    return _Instruction(RETURN, 0, 0, action)
