"""The metrics that every process has, and the port at which Prometheus reads them.

Labels are bounded: lanes, stages, tasks, codes. No data of a case is ever a label.
"""

import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import (
    CollectorRegistry,
    Info,
    Metric,
    ProcessCollector,
    make_wsgi_app,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from shared.observability.disk_space import disk_usage
from shared.observability.logs import log
from shared.security.metrics_access import MetricsAccess
from shared.settings import Settings
from shared.version import VERSION

IDLE_S = 10.0
"""A connection that sends nothing for this long is closed."""

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
Info("sera_build", "The version that runs.", registry=REGISTRY).info(
    {"version": VERSION}
)


class HomeDiskCollector(Collector):
    """Size and free space of the disk under a process's home, read at each scrape."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[GaugeMetricFamily]:
        usage = disk_usage(self._folder)
        yield GaugeMetricFamily(
            "sera_home_free_bytes", "Room that is left where the home lies.", usage.free
        )
        yield GaugeMetricFamily(
            "sera_home_size_bytes", "Size of the disk where the home lies.", usage.total
        )


class _CollectorGroup(Collector):
    def __init__(self, *collectors: Collector | CollectorRegistry) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


def serve(settings: Settings, *collectors: Collector) -> None:
    """Serve the metrics at SERA_METRICS_PORT in a thread, if a port is set.

    A request without the key of the metrics is refused (401) wherever they are not open to all.
    If another process has the port, this process continues without metrics, because cases are more
    important. Prometheus then shows that the target is down.
    """
    if settings.metrics_port is None:
        return
    access = MetricsAccess(settings, settings.metrics_host)
    if settings.metrics_key is None and not access.is_open:
        log().warning(
            "metrics.closed", port=settings.metrics_port, set="SERA_METRICS_KEY"
        )
    registry = CollectorRegistry()
    home_disk = HomeDiskCollector(settings.home)
    registry.register(_CollectorGroup(REGISTRY, home_disk, *collectors))
    try:
        _start_server(
            host=settings.metrics_host,
            port=settings.metrics_port,
            app=_KeyCheck(make_wsgi_app(registry), access),
        )
    except OSError as error:
        log().error(
            "metrics.not-served", port=settings.metrics_port, problem=str(error)
        )


class _KeyCheck:
    """A WSGI application that refuses requests without the key of the metrics."""

    def __init__(self, app: WSGIApplication, access: MetricsAccess) -> None:
        self._app = app
        self._access = access

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        authorization = environ.get("HTTP_AUTHORIZATION")
        if self._access.is_open or self._access.has_key(authorization):
            return self._app(environ, start_response)
        start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
        return [b"# Send the key of SERA_METRICS_KEY as a bearer token.\n"]


class _Handler(WSGIRequestHandler):
    timeout = IDLE_S

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""


def _start_server(host: str, port: int, app: WSGIApplication) -> None:
    """Serve an application in a daemon thread. Raises OSError if the port is taken."""
    (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    class Server(ThreadingWSGIServer):
        address_family = family

    server = make_server(str(address[0]), port, app, Server, _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
