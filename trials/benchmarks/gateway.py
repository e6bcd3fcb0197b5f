"""A gateway of a benchmark's own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx2

from shared.settings import ROOT, Settings


@dataclass(frozen=True)
class Target:
    """The gateway that is measured."""

    url: str
    port: int
    process_id: int

    def client(self, key: str) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=120)


@contextmanager
def run_gateway(settings: Settings) -> Iterator[Target]:
    """Run a gateway in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {
        "SERA_HOME": str(settings.home),
        "SERA_PORT": str(port),
        "SERA_DATABASE_URL": settings.database,
        "SERA_BROKER_URL": settings.broker,
        "SERA_OBJECTS_URL": settings.objects,
        "SERA_RATE_PER_MINUTE": str(settings.rate_per_minute),
        "SERA_INFLIGHT_QUOTA": str(settings.inflight_quota),
        "SERA_LOG_LEVEL": "ERROR",
    }
    command = (sys.executable, "-m", "services.api")
    process = subprocess.Popen(command, env=os.environ | environment, cwd=ROOT)
    target = Target(f"http://127.0.0.1:{port}", port, process.pid)
    try:
        _wait_until_alive(target)
        yield target
    finally:
        process.terminate()
        process.wait()


def _wait_until_alive(target: Target) -> None:
    while True:
        with suppress(httpx2.TransportError):
            if httpx2.get(f"{target.url}/healthz").status_code == 200:
                return
        time.sleep(0.2)
