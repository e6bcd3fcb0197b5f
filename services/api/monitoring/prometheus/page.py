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
class Reading:
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
                session.metrics_queries.hurry(most_s)
                fill(session, registry)

        return cls(name, fresh_s, read)


FOR_ALL = (
    Reading.of_ledger("jobs", NOW_S, gauges.jobs),
    Reading.of_ledger("lanes", NOW_S, gauges.lanes),
    Reading("checks", NOW_S, gauges.checks),
    Reading.of_ledger("workers", NOW_S, gauges.workers),
    Reading.of_ledger("audit", SOON_S, gauges.audit),
    Reading.of_ledger("training", SOON_S, gauges.training),
    Reading.of_ledger("sent", SOON_S, gauges.sent),
    Reading.of_ledger("results", MINUTE_S, gauges.results, most_s=5.0),
    Reading("retention", MINUTE_S, gauges.retention),
)
BY_NAME = (
    Reading.of_ledger("models", NOW_S, gauges.models),
    Reading.of_ledger("hospital-lanes", NOW_S, gauges.hospital_lanes),
    Reading.of_ledger("hospitals", MINUTE_S, gauges.hospitals, most_s=20.0),
)


def page(dependencies: Dependencies, named: bool) -> bytes:
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


def _recalled(dependencies: Dependencies, reading: Reading) -> bytes | None:
    return dependencies.cache.recall(
        ("reading", reading.name), reading.fresh_s, lambda: _read(dependencies, reading)
    )


def _read(dependencies: Dependencies, reading: Reading) -> bytes | None:
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
