"""Measures what a flood of costly requests by one hospital costs another hospital.

    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.flood [--seconds 10] [--flooders 110]

The benchmark starts an embedded PostgreSQL and Valkey, and one gateway. The hospital `south` reads
its session, submits a case and polls its job, again and again, one request after another: first
alone, then while `north` has many requests of one kind open at all times. It prints the 95th
percentile of both and their ratio. Only ratios within one run mean anything.

The clients share the processors with the gateway. Each client of the flood leaves after 8 s at most
and comes again.
"""

import argparse
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from uuid import uuid4

import cv2
import httpx2
import numpy as np
from pydicom.uid import RLELossless

from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.observability import logs
from shared.phantoms import draw
from tests.support.builders import dicom_file
from tests.support.dicom_files import compressed, region
from trials.benchmarks.engines import engine_settings
from trials.benchmarks.gateway import Target, run_gateway

UNLIMITED = 100_000
"""Requests and cases of a hospital, so that no limit but those of the pools applies."""
FLOODER_PATIENCE_S = 8.0
"""After this time a client of the flood closes its connection, with or without an answer."""
PAUSE_AFTER_REFUSAL_S = 5.0
"""The Retry-After of a refusal."""
SOUTH_PERIOD_S = 0.02
"""The pause between two rounds of the other hospital's requests."""
DICOM_HEIGHT, DICOM_WIDTH = 1500, 2000
UNDER_LOAD_AFTER_S = 10.0
"""Measuring begins this long after the flood's process, which takes some seconds to start."""


@dataclass(frozen=True)
class Hospital:
    """An API key of one hospital, and a case that it has submitted."""

    key: str
    case_id: str
    job_id: str


def main() -> None:
    arguments = _arguments()
    logs.configure("benchmark", level="WARNING")
    with _target() as (target, north, south):
        for name, request in _floods(north).items():
            alone = _latencies_ms(target, south, arguments.seconds)
            with _flood(target, request, arguments.flooders) as answers:
                time.sleep(UNDER_LOAD_AFTER_S)
                flooded = _latencies_ms(target, south, arguments.seconds)
            print(f"{name} ({arguments.flooders} clients): {_summary(answers)}")
            for kind, latencies in alone.items():
                _print_line(kind, latencies, flooded[kind])


def _print_line(kind: str, alone: list[float], flooded: list[float]) -> None:
    alone_ms = _p95(alone)
    flooded_ms = _p95(flooded)
    print(
        f"    {kind:10} p95 alone {alone_ms:7.1f} ms, in the flood {flooded_ms:8.1f} ms, "
        f"ratio {flooded_ms / alone_ms:6.2f}; longest {max(flooded):8.1f} ms, "
        f"{len(flooded)} requests"
    )


def _p95(values: list[float]) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=20)[-1]


def _summary(answers: list[int]) -> str:
    counts = {status: answers.count(status) for status in sorted(set(answers))}
    return ", ".join(f"{count} x {status}" for status, count in counts.items())


@contextmanager
def _target() -> Iterator[tuple[Target, Hospital, Hospital]]:
    """Start a gateway, and create two hospitals with a case each."""
    with (
        engine_settings(rate_per_minute=UNLIMITED) as settings,
        run_gateway(
            settings.model_copy(update={"inflight_quota": UNLIMITED})
        ) as target,
    ):
        ledger = Ledger(settings.database)
        north = _hospital(target, ledger, "north")
        south = _hospital(target, ledger, "south")
        ledger.close()
        yield target, north, south


def _hospital(target: Target, ledger: Ledger, name: str) -> Hospital:
    with ledger.system_session("benchmark") as session:
        hospital_id = session.hospitals.ensure(name)
        key = session.api_keys.create_text(
            Role.HOSPITAL_ADMIN, hospital_id, "benchmark"
        )
    with target.client(key) as client:
        case = _submit(client)
    return Hospital(key=key, case_id=case["case_id"], job_id=case["job_id"])


def _submit(client: httpx2.Client) -> dict[str, str]:
    files = {"image": ("a.png", _png(seed=int(uuid4()) % 10_000), "image/png")}
    response = client.post("/v1/cases", files=files, data={"size_mm": "12"})
    response.raise_for_status()
    answer: dict[str, str] = response.json()
    return answer


def _latencies_ms(
    target: Target, hospital: Hospital, seconds: float
) -> dict[str, list[float]]:
    """Return how long each request of the hospital took, in ms, by kind."""
    latencies: dict[str, list[float]] = {"session": [], "poll": [], "submission": []}
    until = time.monotonic() + seconds
    with target.client(hospital.key) as client:
        acts: dict[str, Callable[[], object]] = {
            "session": partial(_get, client, "/v1/session"),
            "poll": partial(_get, client, f"/v1/jobs/{hospital.job_id}"),
            "submission": partial(_submit, client),
        }
        while time.monotonic() < until:
            for kind, act in acts.items():
                began = time.perf_counter()
                act()
                latencies[kind].append(1000 * (time.perf_counter() - began))
            time.sleep(SOUTH_PERIOD_S)
    return latencies


def _get(client: httpx2.Client, path: str) -> None:
    client.get(path).raise_for_status()


@contextmanager
def _flood(target: Target, request: bytes, clients: int) -> Iterator[list[int]]:
    """Keep many requests open meanwhile, from another process.

    The list gets the status of each answer at the end, 0 for none.
    """
    answers: list[int] = []
    context = get_context("spawn")
    stop = context.Event()
    receiver, sender = context.Pipe(duplex=False)
    flooder = context.Process(
        target=_send_from_threads, args=(target, request, clients, stop, sender)
    )
    flooder.start()
    try:
        yield answers
    finally:
        stop.set()
        answers.extend(receiver.recv())
        flooder.join()


def _send_from_threads(
    target: Target, request: bytes, clients: int, stop: Event, sender: Connection
) -> None:
    """The process of the flood."""
    with ThreadPoolExecutor(clients) as threads:
        tasks = [
            threads.submit(_send_repeatedly, target, request, stop)
            for _ in range(clients)
        ]
        sender.send([status for task in tasks for status in task.result()])


def _send_repeatedly(target: Target, request: bytes, stop: Event) -> list[int]:
    answers: list[int] = []
    while not stop.is_set():
        status = 0
        with suppress(OSError):
            status = _send(target, request)
        answers.append(status)
        if status != 200:
            stop.wait(PAUSE_AFTER_REFUSAL_S)
    return answers


def _send(target: Target, request: bytes) -> int:
    """Return the status, or 0 if there was no answer within the client's patience."""
    address = ("127.0.0.1", target.port)
    with socket.create_connection(address, timeout=FLOODER_PATIENCE_S) as connection:
        connection.sendall(request)
        answer = connection.recv(65536)
        while connection.recv(65536):
            pass
    return int(answer.split(maxsplit=2)[1]) if answer else 0


def _floods(north: Hospital) -> dict[str, bytes]:
    """The request that each flood repeats, by name."""
    case = f"/v1/cases/{north.case_id}"
    gets = {
        "image.png": f"{case}/image.png",
        "cases.csv": "/v1/cases.csv",
        "audit/verify": "/v1/audit/verify",
        "monitoring/performance": "/v1/monitoring/performance",
    }
    requests = {name: _get_bytes(north.key, path) for name, path in gets.items()}
    return {"previews": _preview_bytes(north.key)} | requests


def _get_bytes(key: str, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: sera\r\nAuthorization: Bearer {key}\r\n"
        "Connection: close\r\n\r\n"
    ).encode()


def _preview_bytes(key: str) -> bytes:
    """A preview of a small DICOM file whose pixels are many and whose region is blanked."""
    boundary = "flood"
    body = b"".join(
        (
            f"--{boundary}\r\nContent-Disposition: form-data; name=image; filename=a.dcm"
            "\r\nContent-Type: application/dicom\r\n\r\n".encode(),
            _dicom_with_region(),
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )
    head = (
        f"POST /v1/previews HTTP/1.1\r\nHost: sera\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _dicom_with_region() -> bytes:
    pixels = np.full((DICOM_HEIGHT, DICOM_WIDTH), 90, np.uint8)
    blanked = region(100, 100, DICOM_WIDTH - 100, DICOM_HEIGHT - 100)
    data = dicom_file(pixels, SequenceOfUltrasoundRegions=[blanked])
    return compressed(data, RLELossless)


def _png(seed: int) -> bytes:
    pixels = cv2.resize(draw(seed, size_px=256).pixels, (400, 300))
    return cv2.imencode(".png", pixels)[1].tobytes()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--flooders", type=int, default=110)
    return parser.parse_args()


if __name__ == "__main__":
    main()
