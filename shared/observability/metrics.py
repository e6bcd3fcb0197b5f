"""What a process measures of itself, and the port at which Prometheus reads it.

Labels are bounded: lanes, stages, tasks, codes. Nothing of a case is ever one.
"""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Info,
    Metric,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from shared.observability.disk_space import room
from shared.observability.logs import log
from shared.settings import Settings
from shared.version import VERSION

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
Info("sera_build", "The version that runs.", registry=REGISTRY).info(
    {"version": VERSION}
)


class Home(Collector):
    """The disk under a process's home, looked at when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[GaugeMetricFamily]:
        space = room(self._folder)
        yield GaugeMetricFamily(
            "sera_home_free_bytes", "Room that is left where the home lies.", space.free
        )
        yield GaugeMetricFamily(
            "sera_home_size_bytes", "Size of the disk where the home lies.", space.total
        )


class _All(Collector):
    def __init__(self, *parts: Collector | CollectorRegistry) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        for part in self._parts:
            yield from part.collect()


def serve(settings: Settings, *more: Collector) -> None:
    """Answer at SERA_METRICS_PORT, in a thread; without one, not at all.

    A port that cannot be had keeps nobody from working: cases go first, and Prometheus sees that the target is away.
    """
    if settings.metrics_port is None:
        return
    registry = CollectorRegistry()
    registry.register(_All(REGISTRY, Home(settings.home), *more))
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as refused:
        log().error(
            "metrics.not-served", port=settings.metrics_port, problem=str(refused)
        )
