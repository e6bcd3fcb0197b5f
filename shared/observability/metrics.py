"""The metrics that every process has, and the port at which Prometheus reads them.

Labels are bounded: lanes, stages, tasks, codes. No data of a case is ever a label.
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

from shared.observability.disk_space import disk_usage
from shared.observability.logs import log
from shared.settings import Settings
from shared.version import VERSION

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

    If another process has the port, this process continues without metrics, because cases are more
    important. Prometheus then shows that the target is down.
    """
    if settings.metrics_port is None:
        return
    registry = CollectorRegistry()
    home_disk = HomeDiskCollector(settings.home)
    registry.register(_CollectorGroup(REGISTRY, home_disk, *collectors))
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        log().error(
            "metrics.not-served", port=settings.metrics_port, problem=str(error)
        )
