"""The page that Prometheus reads. What one reading cannot tell keeps no other from being told."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from services.api.dependencies import Dependencies
from services.api.monitoring.prometheus import gauges
from shared.observability.logs import log
from shared.observability.metrics import REGISTRY

ACTOR = "gateway"
NOW_S = 2.0
SOON_S = 10.0
MINUTE_S = 60.0
PATIENCE_S = 6.0
"""After so long no further reading is begun: Prometheus waits for ten seconds, unless it is told otherwise."""

Fill = Callable[[Dependencies, CollectorRegistry], None]


@dataclass(frozen=True)
class MetricsSection:
    """Figures that are read together, at most every `fresh_s`, however often is asked."""

    name: str
    fresh_s: float
    fill: Fill

    @classmethod
    def of_ledger(
        cls, name: str, fresh_s: float, fill: Callable[..., None], most_s: float = 2.0
    ) -> Self:
        """Read in a transaction of its own, whose questions may take `most_s` each."""

        def read(dependencies: Dependencies, registry: CollectorRegistry) -> None:
            with dependencies.ledger.system_session(ACTOR) as session:
                session.metrics_queries.set_timeout(most_s)
                fill(session, registry)

        return cls(name, fresh_s, read)


FOR_ALL = (
    MetricsSection.of_ledger("jobs", NOW_S, gauges.jobs),
    MetricsSection.of_ledger("lanes", NOW_S, gauges.lanes),
    MetricsSection("checks", NOW_S, gauges.checks),
    MetricsSection.of_ledger("workers", NOW_S, gauges.workers),
    MetricsSection.of_ledger("audit", SOON_S, gauges.audit),
    MetricsSection.of_ledger("training", SOON_S, gauges.training),
    MetricsSection.of_ledger("sent", SOON_S, gauges.sent),
    MetricsSection.of_ledger("results", MINUTE_S, gauges.results, most_s=5.0),
    MetricsSection("retention", MINUTE_S, gauges.retention),
)
BY_NAME = (
    MetricsSection.of_ledger("models", NOW_S, gauges.models),
    MetricsSection.of_ledger("hospital-lanes", NOW_S, gauges.hospital_lanes),
    MetricsSection.of_ledger("hospitals", MINUTE_S, gauges.hospitals, most_s=20.0),
)


def metrics_page(dependencies: Dependencies, named: bool) -> bytes:
    """`named`: also what names hospitals and models."""
    until = time.monotonic() + PATIENCE_S
    registry = CollectorRegistry()
    ok = Gauge(
        "sera_reading_ok",
        "1 where the figures of this name could be read.",
        ["reading"],
        registry=registry,
    )
    parts = [generate_latest(REGISTRY)]
    for reading in (*FOR_ALL, *BY_NAME) if named else FOR_ALL:
        text = _recalled(dependencies, reading) if time.monotonic() < until else None
        ok.labels(reading.name).set(text is not None)
        parts.append(text or b"")
    return b"".join([*parts, generate_latest(registry)])


def _recalled(dependencies: Dependencies, reading: MetricsSection) -> bytes | None:
    return dependencies.cache.get_or_make(
        ("reading", reading.name), reading.fresh_s, lambda: _read(dependencies, reading)
    )


def _read(dependencies: Dependencies, reading: MetricsSection) -> bytes | None:
    """None where it failed, which is remembered as long as figures are: who asks again does not wait again."""
    registry = CollectorRegistry()
    try:
        reading.fill(dependencies, registry)
    except Exception as error:  # noqa: BLE001 (a page without these figures is better than none)
        log().warning(
            "metrics.unread", reading=reading.name, error=type(error).__name__
        )
        return None
    return generate_latest(registry)
