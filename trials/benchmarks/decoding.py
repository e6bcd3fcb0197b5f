"""What it costs to decode in a process of its own, against decoding in the worker itself, in one
run.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/decoding.py --rounds 60

Both ways take turns on the same bytes. Only ratios within one run mean anything, and on a busy
machine only CPU time.
"""

import argparse
import time
from collections.abc import Callable

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
    began = time.perf_counter()
    decoders = SandboxPool(Bounds(), 1)
    decoders.decode(_png(128))
    (process,) = (psutil.Process(pid) for pid in decoders.pids)
    memory_mib = process.memory_full_info().uss / 2**20
    print(
        f"a decoder is ready after {time.perf_counter() - began:.2f} s and holds "
        f"{memory_mib:.0f} MiB of its own"
    )
    for name, data in _images().items():
        in_process_ms, sandboxed_ms = _wall_ms(data, decoders, rounds)
        cpu_here = _cpu_ms(lambda data=data: decode(data), rounds)
        cpu_apart = _cpu_ms(lambda data=data: decoders.decode(data), rounds, process)
        print(
            f"{name:14} wall here {in_process_ms:6.2f} ms, apart {sandboxed_ms:6.2f} ms, "
            f"{sandboxed_ms / in_process_ms:.2f} times",
            end="; ",
        )
        print(
            f"CPU here {cpu_here:6.2f} ms, apart {cpu_apart:6.2f} ms, "
            f"{cpu_apart - cpu_here:+.2f} ms"
        )
    decoders.close()


def _images() -> dict[str, bytes]:
    phantoms = {f"PNG {side} px": _png(side) for side in (128, 512, 1024)}
    return phantoms | {
        name: examples.get_path(name).read_bytes()
        for name in ("ybr_color", "rgb_color", "jpeg2k")
    }


def _png(side: int) -> bytes:
    return cv2.imencode(".png", draw(3, size_px=side).pixels)[1].tobytes()


def _wall_ms(data: bytes, decoders: SandboxPool, rounds: int) -> tuple[float, float]:
    """Medians of both ways by turns."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        moments = [time.perf_counter()]
        for way in (decode, decoders.decode):
            way(data)
            moments.append(time.perf_counter())
        times.append((moments[1] - moments[0], moments[2] - moments[1]))
    in_process_ms, sandboxed_ms = np.median(times, axis=0) * 1000
    return in_process_ms, sandboxed_ms


def _cpu_ms(
    way: Callable[[], object], rounds: int, other: psutil.Process | None = None
) -> float:
    """CPU time of one image, the other process's too."""
    processes = [psutil.Process(), *([other] if other else [])]
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    for _ in range(rounds):
        way()
    return (
        (sum(sum(process.cpu_times()[:2]) for process in processes) - before)
        / rounds
        * 1000
    )


def _rounds() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    return parser.parse_args().rounds


if __name__ == "__main__":
    main()
