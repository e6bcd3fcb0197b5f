"""Runs the stack on one machine: the services, and embedded engines unless settings name others."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Self

from pydantic import SecretStr

from deploy.local.child import Backoff, Child
from deploy.local.errors import PortBusy
from deploy.local.home import Home
from deploy.local.postgres import Postgres
from deploy.local.services import MIGRATIONS, SERVICES, with_trainers
from deploy.local.state import ProcessId, StackState, clear_leftovers
from deploy.local.supervisor import Event, Observer, Supervisor
from deploy.local.valkey import Valkey
from shared.observability.logs import log
from shared.settings import Settings

JOIN_S = 0.2
OWNER_VARIABLE = "SERA_DATABASE_OWNER_URL"
SHARED_CORES = {"GOMP_SPINCOUNT": "3000"}
"""The processes of one machine share its cores, so PyTorch's threads spin only briefly while they
wait for work.

Measured with `light` on two cores: two processes at once took 395 ms an image in batches of 16 with
GNU OpenMP's own setting and 129 ms with this; one image alone took 64 ms and 72 ms, without any
spinning 106 ms.
"""


@dataclass(frozen=True)
class Urls:
    """URLs of the user's own engines. None means the embedded engine."""

    database: str | None = None
    broker: str | None = None
    objects: str | None = None
    database_owner: str | None = None
    """The URL with the owner's login, if the services' login does not own the tables."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(
            database=_reveal(settings.database_url),
            broker=_reveal(settings.broker_url),
            objects=_reveal(settings.objects_url),
            database_owner=_reveal(settings.database_owner_url),
        )


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def check_port(host: str, port: int) -> None:
    """Raise PortBusy unless the port can be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, port))
        except OSError as refused:
            raise PortBusy(
                host=host, port=port, problem=refused.strerror or refused
            ) from refused


class Stack:
    """A running stack as a context manager that can be entered once.

    Inside the context all processes are ready; after it none is left. A separate thread starts the
    children, and they end when that thread or this process ends.
    """

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        *,
        host: str = "127.0.0.1",
        services: Sequence[Child] = SERVICES,
        urls: Urls | None = None,
        extra_env: Mapping[str, str] | None = None,
        durable: bool = True,
        backoff: Backoff | None = None,
        observe: Observer = lambda event: None,
    ) -> None:
        self.home = Home(home.expanduser().absolute())
        self.host = host
        self.port = port
        self._services = tuple(services)
        self._urls = urls or Urls()
        self._extra_env = dict(extra_env or {})
        self._durable = durable
        self._backoff = backoff
        self._observe = observe
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._settled = threading.Event()
        self._fault: BaseException | None = None
        self._context = ExitStack()
        self._thread: threading.Thread
        self._supervisor: Supervisor
        self._service_database: str
        self.state: StackState

    @classmethod
    def from_settings(
        cls, settings: Settings, *, observe: Observer = lambda event: None
    ) -> Self:
        urls = Urls.from_settings(settings)
        folders = {
            "SERA_WEIGHTS_DIR": settings.weights_dir,
            "SERA_RECIPES_DIR": settings.recipes_dir,
        }
        extra_env = {
            variable: str(folder) for variable, folder in folders.items() if folder
        }
        services = with_trainers(SERVICES, settings.trainers)
        return cls(
            settings.home,
            settings.port,
            host=settings.host,
            services=services,
            urls=urls,
            extra_env=extra_env,
            observe=observe,
        )

    @property
    def url(self) -> str:
        """The gateway's URL; empty if there is no port, as for engines without services."""
        return self.state.url or ""

    @property
    def database_url(self) -> str:
        return self.state.database_url

    @property
    def broker_url(self) -> str:
        return self.state.broker_url

    @property
    def objects_url(self) -> str:
        return self.state.objects_url

    @property
    def env(self) -> dict[str, str]:
        """The environment variables with which a process of this stack finds the engines."""
        variables = self._extra_env | {
            "SERA_HOME": str(self.home.root),
            "SERA_HOST": self.host,
            "SERA_DATABASE_URL": self._service_database,
            "SERA_BROKER_URL": self.broker_url,
            "SERA_OBJECTS_URL": self.objects_url,
        }
        return variables | ({"SERA_PORT": str(self.port)} if self.port else {})

    def __enter__(self) -> Self:
        self._launch()
        try:
            while not self._settled.wait(JOIN_S) and self._thread.is_alive():
                pass
        except BaseException:  # a Ctrl-C while waiting: nobody calls __exit__
            self.stop(hurry=True)
            self._finish()
            raise
        if not self._settled.is_set():
            self._finish()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._finish()

    def stop(self, hurry: bool = False) -> None:
        """Request the end of all children; safe from any thread and from a signal handler."""
        self._stop.set()
        if hurry:
            self._hurry.set()

    def run_until_stopped(
        self, on_ready: Callable[[Self], None] = lambda stack: None
    ) -> None:
        """Run in the foreground until SIGINT, SIGTERM or SIGHUP; a second signal stops faster."""

        def handle_signal(_number: int, _frame: FrameType | None) -> None:
            self.stop(hurry=self._stop.is_set())

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        previous_handlers = {
            number: signal.signal(number, handle_signal) for number in numbers
        }
        try:
            with self:
                if not self._stop.is_set():
                    on_ready(self)
                while self._thread.is_alive():
                    self._thread.join(JOIN_S)
        finally:
            for number, handler in previous_handlers.items():
                signal.signal(number, handler)

    def _launch(self) -> None:
        with ExitStack() as resources:
            self.home.make()
            resources.enter_context(self.home.lock())
            clear_leftovers(self.home)
            if self.port:
                check_port(self.host, self.port)
            sockets = resources.enter_context(self.home.sockets())
            engines = self._prepare(sockets)
            resources.callback(self.home.state_file.unlink, missing_ok=True)
            children = (*engines, *map(self._with_owner_url, self._services))
            inherited = {
                name: value
                for name, value in os.environ.items()
                if name != OWNER_VARIABLE
            }
            env = {**SHARED_CORES, **inherited, **self.env, "PYTHONUNBUFFERED": "1"}
            self._supervisor = Supervisor(
                children, self.home, env, backoff=self._backoff, observe=self._on_event
            )
            self._thread = threading.Thread(
                target=self._supervise, name="sera-supervisor"
            )
            self._thread.start()
            self._context = resources.pop_all()

    def _prepare(self, sockets: Path) -> tuple[Child, ...]:
        """Choose the engines and record their URLs in the state."""
        postgres = Postgres(self.home.database, sockets / "postgres", self._durable)
        valkey = Valkey(sockets)
        urls = self._urls
        self.state = StackState(
            home=str(self.home.root),
            supervisor=ProcessId.current(),
            sockets=str(sockets),
            database_url=urls.database or postgres.url,
            broker_url=urls.broker or valkey.url,
            objects_url=urls.objects or self.home.objects.as_uri(),
            url=f"http://{self.host}:{self.port}" if self.port else None,
            port=self.port,
        )
        self._service_database = urls.database or postgres.service_url
        engines = []
        if urls.database is None:
            engines.append(postgres.child())
        if urls.broker is None:
            engines.append(valkey.child())
        return tuple(engines)

    def _with_owner_url(self, child: Child) -> Child:
        """Give the URL with the owner's login to the migrations only."""
        if child.name != MIGRATIONS:
            return child
        owner = self._urls.database_owner or self.database_url
        return replace(child, env=(*child.env, (OWNER_VARIABLE, owner)))

    def _supervise(self) -> None:
        try:
            self._supervisor.run(self._stop, self._hurry, self._settled_once)
        except BaseException as fault:  # noqa: BLE001 - raised again in `_finish`
            self._fault = fault

    def _settled_once(self) -> None:
        self._save()
        self._settled.set()

    def _on_event(self, event: Event) -> None:
        try:
            self._save()
        except OSError as refused:
            # A full disk must not end the services that still run.
            log().warning("stack.state-not-saved", problem=str(refused))
        self._observe(event)

    def _save(self) -> None:
        children: dict[str, ProcessId] = {}
        for name, pid in self._supervisor.pids().items():
            saved = self.state.children.get(name)
            process = saved if saved and saved.pid == pid else ProcessId.from_pid(pid)
            if process:
                children[name] = process
        self.state = replace(
            self.state, children=children, ready=self._supervisor.settled
        )
        self.state.save(self.home)

    def _finish(self) -> None:
        """Wait for the supervisor, release all resources, and raise its error if it had one."""
        while self._thread.is_alive():
            self._thread.join(JOIN_S)
        self._context.close()
        if self._fault:
            raise self._fault


class EmbeddedEngines(Stack):
    """PostgreSQL and Valkey without services, for tests and tools with their own processes.

    Tests may pass `durable=False`: writes are not flushed to the disk, which is faster and still
    survives everything but a power cut.
    """

    def __init__(
        self,
        home: Path,
        *,
        durable: bool = True,
        observe: Observer = lambda event: None,
    ) -> None:
        super().__init__(home, services=(), durable=durable, observe=observe)
