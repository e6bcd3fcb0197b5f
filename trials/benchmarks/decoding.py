"""Compares the cost of decoding in a sandboxed process with decoding in the worker's own process.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/decoding.py --rounds 60

Both ways take turns on the same bytes in one run. Only ratios within one run mean anything, and on
a busy machine only CPU time.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import psutil
from pydicom import examples

from shared.imaging import decode
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.phantoms import draw


def main() -> None:
    rounds = _rounds()
    start = time.perf_counter()
    decoders = SandboxPool(Bounds(), 1)
    decoders.decode(_png(128))
    (sandbox,) = (psutil.Process(pid) for pid in decoders.pids)
    memory_mib = sandbox.memory_full_info().uss / 2**20
    print(
        f"a decoder is ready after {time.perf_counter() - start:.2f} s and holds "
        f"{memory_mib:.0f} MiB of its own"
    )
    for name, data in _images().items():
        in_process_ms, sandboxed_ms = _wall_ms(data, decoders, rounds)
        in_process_cpu_ms = _cpu_ms(partial(decode, data), rounds)
        sandboxed_cpu_ms = _cpu_ms(partial(decoders.decode, data), rounds, sandbox)
        print(
            f"{name:14} wall time in process {in_process_ms:6.2f} ms, "
            f"in a sandbox {sandboxed_ms:6.2f} ms, {sandboxed_ms / in_process_ms:.2f} times",
            end="; ",
        )
        print(
            f"CPU time in process {in_process_cpu_ms:6.2f} ms, "
            f"in a sandbox {sandboxed_cpu_ms:6.2f} ms, "
            f"{sandboxed_cpu_ms - in_process_cpu_ms:+.2f} ms"
        )
    decoders.close()


def _images() -> dict[str, bytes]:
    phantoms = {f"PNG {side} px": _png(side) for side in (128, 512, 1024)}
    return phantoms | {
        name: examples.get_path(name).read_bytes()
        for name in ("ybr_color", "rgb_color", "jpeg2k")
    }


def _png(side_px: int) -> bytes:
    pixels = draw(3, size_px=side_px).pixels
    return cv2.imencode(".png", pixels)[1].tobytes()


def _wall_ms(data: bytes, decoders: SandboxPool, rounds: int) -> tuple[float, float]:
    """Median milliseconds in this process and in a sandbox; the two ways take turns."""
    times_s: list[tuple[float, float]] = []
    for _ in range(rounds):
        start = time.perf_counter()
        decode(data)
        middle = time.perf_counter()
        decoders.decode(data)
        end = time.perf_counter()
        times_s.append((middle - start, end - middle))
    in_process_ms, sandboxed_ms = np.median(times_s, axis=0) * 1000
    return in_process_ms, sandboxed_ms


def _cpu_ms(
    work: Callable[[], object], rounds: int, sandbox: psutil.Process | None = None
) -> float:
    """Mean CPU time of one image, in this process and in the sandbox if there is one."""
    processes = [psutil.Process()]
    if sandbox is not None:
        processes.append(sandbox)
    cpu_at_start_s = _cpu_s(processes)
    for _ in range(rounds):
        work()
    return (_cpu_s(processes) - cpu_at_start_s) / rounds * 1000


def _cpu_s(processes: list[psutil.Process]) -> float:
    """User and system time of the processes so far."""
    total_s = 0.0
    for process in processes:
        times = process.cpu_times()
        total_s += times.user + times.system
    return total_s


def _rounds() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=60)
    rounds: int = parser.parse_args().rounds
    return rounds


if __name__ == "__main__":
    main()
