"""The gateway as a process of its own, as `./sera up` runs it: to be killed, starved of disk or
given another clock.
"""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil

from shared.settings import Settings
from tests.e2e.stage import FOREIGN_VARIABLES, ROOT, free_port, until


class Gateway:
    """One home's gateway; started again, it listens where it did."""

    def __init__(self, settings: Settings) -> None:
        self.port = free_port()
        self.folder = settings.home
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "api.log"
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        fields = {
            "HOME": str(settings.home),
            "PORT": str(self.port),
            "DATABASE_URL": settings.database,
            "BROKER_URL": settings.broker,
            "OBJECTS_URL": settings.objects,
        }
        self._env = _environment(
            {f"SERA_{name}": value for name, value in fields.items()}, self.temporary
        )
        self.process: psutil.Popen | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = (sys.executable, "-m", "services.api")
            self.process = psutil.Popen(
                command, env=self._env, cwd=ROOT, stdout=log, stderr=log
            )
        until(self._answers, within_s=60)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx2.get(f"{self.url}/healthz").status_code == 200
        except httpx2.TransportError:
            return False


@contextmanager
def gateway_of(settings: Settings) -> Iterator[Gateway]:
    result = Gateway(settings)
    result.start()
    try:
        yield result
    finally:
        if result.process.poll() is None:
            result.process.send_signal(signal.SIGTERM)
            if result.process.wait(20) is None:
                result.kill()


def _environment(settings: Mapping[str, str], temporary: Path) -> dict[str, str]:
    return (
        FOREIGN_VARIABLES
        | dict(settings)
        | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)}
    )
