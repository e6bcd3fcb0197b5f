"""Memory that was freed goes back to the system."""

import asyncio
import subprocess
import sys
import threading

import pytest

from services.api import free_memory
from tests.e2e.stage import ROOT

KEPT_AFTER_A_BURST = """
import ctypes, platform, psutil, threading
from services.api.free_memory import return_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
BLOCK = 64 * 1024

def resident_mib():
    return psutil.Process().memory_info().rss / 2**20

def burst(pins):
    blocks = [libc.malloc(BLOCK) for _ in range(1600)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    pins.append(libc.malloc(BLOCK))  # the arena cannot shrink by itself
    for block in blocks:
        libc.free(ctypes.c_void_p(block))

pins = []
base = resident_mib()
threads = [threading.Thread(target=burst, args=(pins,)) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
kept = resident_mib() - base
return_freed_memory()
print(platform.libc_ver()[0], kept, resident_mib() - base)
"""

ARENAS_OF_THREADS = """
import ctypes, threading
from services.api.free_memory import limit_arenas

{start}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(8)

def allocate():
    together.wait()
    libc.malloc(64 * 1024)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
if hasattr(libc, "malloc_stats"): libc.malloc_stats()
"""


def test_what_glibc_keeps_after_a_burst_is_returned():
    process = subprocess.run(
        [sys.executable, "-c", KEPT_AFTER_A_BURST],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    library, kept_mib, left_mib = process.stdout.rsplit(maxsplit=2)
    if library.strip() != "glibc":
        pytest.skip("the C library is not glibc")
    assert float(kept_mib) > 80
    assert float(left_mib) < float(kept_mib) / 2


def test_all_threads_share_a_few_arenas():
    arenas = [arena_count(start) for start in ("", "limit_arenas()")]
    if arenas[0] == 0:
        pytest.skip("the C library is not glibc")
    assert arenas[0] > free_memory.ARENAS
    assert arenas[1] == free_memory.ARENAS


def arena_count(start: str) -> int:
    """The arenas of a process that runs `start` before its eight threads allocate memory."""
    code = ARENAS_OF_THREADS.format(start=start)
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stderr.count("Arena ")


def test_a_gateway_returns_memory_again_and_again(monkeypatch):
    times = []
    twice = threading.Event()

    def count():
        times.append(None)
        if len(times) == 2:
            twice.set()

    async def run():
        async with free_memory.return_periodically():
            assert await asyncio.to_thread(twice.wait, 60)

    monkeypatch.setattr(free_memory, "PERIOD_S", 0.01)
    monkeypatch.setattr(free_memory, "return_freed_memory", count)
    asyncio.run(run())
    assert twice.is_set()
