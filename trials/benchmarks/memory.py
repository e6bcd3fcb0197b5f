"""Measures the memory of a gateway before, in and after a burst of large requests.

    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.memory [--rest 60]

The benchmark starts an embedded PostgreSQL and Valkey, and one gateway. Each round sends previews
of large DICOM files, submits large loops and fetches large pictures, from many clients at once. It
prints the resident memory of the gateway's own process, without its sandbox processes: before, the
most in the round, and after a rest.
"""

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import psutil

from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.observability import logs
from tests.support.builders import dicom_file
from tests.support.dicom_files import region
from trials.benchmarks.engines import engine_settings
from trials.benchmarks.gateway import Target, run_gateway

PREVIEWS = 110
LOOPS = 40
PICTURES = 60
CLIENTS = 24
HEIGHT, WIDTH = 1500, 2000
LOOP_FRAMES = 8
SAMPLE_S = 0.05
UNLIMITED = 100_000
MIB = 2**20


def main() -> None:
    arguments = _arguments()
    logs.configure("benchmark", level="WARNING")
    with (
        engine_settings(rate_per_minute=UNLIMITED) as settings,
        run_gateway(settings) as target,
    ):
        ledger = Ledger(settings.database)
        keys = [_key(ledger, name) for name in ("north", "south", "east", "west")]
        ledger.close()
        _request_all(target, keys, count=1)
        time.sleep(arguments.rest)
        print(f"base {_resident_mib(target):.0f} MiB")
        for number in range(arguments.rounds):
            with _most_mib(target) as most:
                statuses = _request_all(target, keys)
            at_once = _resident_mib(target)
            time.sleep(arguments.rest)
            print(
                f"round {number + 1}: most {max(most):.0f} MiB, at its end {at_once:.0f} MiB, "
                f"{arguments.rest:g} s later {_resident_mib(target):.0f} MiB; {statuses}",
                flush=True,
            )


def _request_all(
    target: Target, keys: list[str], count: int | None = None
) -> dict[int, int]:
    """Send the requests of a round, from many clients; return how often each status came."""
    rng = np.random.default_rng()
    picture = _dicom(rng.integers(0, 255, (HEIGHT, WIDTH), np.uint8))
    loop = _dicom(rng.integers(0, 255, (LOOP_FRAMES, HEIGHT, WIDTH), np.uint8))
    acts: list[Callable[[str], int]] = []
    acts += [lambda key: _preview(target, key, picture)] * (count or PREVIEWS)
    acts += [lambda key: _submit(target, key, loop)] * (count or LOOPS)
    acts += [lambda key: _show(target, key, picture)] * (count or PICTURES)
    statuses: dict[int, int] = {}
    with ThreadPoolExecutor(CLIENTS) as threads:
        tasks = [
            threads.submit(act, keys[number % len(keys)])
            for number, act in enumerate(acts)
        ]
        for task in tasks:
            status = task.result()
            statuses[status] = statuses.get(status, 0) + 1
    return statuses


def _preview(target: Target, key: str, image: bytes) -> int:
    with target.client(key) as client:
        return client.post("/v1/previews", files={"image": image}).status_code


def _submit(target: Target, key: str, image: bytes) -> int:
    with target.client(key) as client:
        files = {"image": image}
        return client.post("/v1/cases", files=files, data={"size_mm": "12"}).status_code


def _show(target: Target, key: str, image: bytes) -> int:
    with target.client(key) as client:
        files = {"image": image}
        answer = client.post("/v1/cases", files=files, data={"size_mm": "12"})
        if answer.status_code != 202:
            return answer.status_code
        path = f"/v1/cases/{answer.json()['case_id']}/image.png"
        return client.get(path).status_code


@contextmanager
def _most_mib(target: Target) -> Iterator[list[float]]:
    """Sample the gateway's memory meanwhile; the list gets every sample."""
    samples = [_resident_mib(target)]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_S):
            samples.append(_resident_mib(target))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _resident_mib(target: Target) -> float:
    return float(psutil.Process(target.process_id).memory_info().rss) / MIB


def _key(ledger: Ledger, name: str) -> str:
    with ledger.system_session("benchmark") as session:
        hospital_id = session.hospitals.ensure(name)
        return session.api_keys.create_text(
            Role.HOSPITAL_ADMIN, hospital_id, "benchmark"
        )


def _dicom(pixels: np.ndarray) -> bytes:
    """A file without compression, with a region, so that the rest of its pixels is blanked."""
    blanked = region(100, 100, WIDTH - 100, HEIGHT - 100)
    return dicom_file(pixels, SequenceOfUltrasoundRegions=[blanked])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rest", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
