"""Renders the metrics page for Prometheus. A section that fails does not affect the others."""

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
FRESH_2_S = 2.0
FRESH_10_S = 10.0
FRESH_60_S = 60.0
PAGE_TIME_S = 6.0
"""After this time no additional section is read. Prometheus waits for ten seconds by default."""

FillRegistry = Callable[[Dependencies, CollectorRegistry], None]


@dataclass(frozen=True)
class MetricsSection:
    """A group of figures that are read together, at most once every `max_age_s`."""

    name: str
    max_age_s: float
    fill: FillRegistry

    @classmethod
    def of_ledger(
        cls,
        name: str,
        max_age_s: float,
        fill: Callable[..., None],
        query_timeout_s: float = 2.0,
    ) -> Self:
        """Build a section that is read in a separate transaction. Each query may take
        `query_timeout_s`.
        """

        def read(dependencies: Dependencies, registry: CollectorRegistry) -> None:
            with dependencies.ledger.system_session(ACTOR) as session:
                session.metrics_queries.set_timeout(query_timeout_s)
                fill(session, registry)

        return cls(name=name, max_age_s=max_age_s, fill=read)


PUBLIC_SECTIONS = (
    MetricsSection.of_ledger("jobs", FRESH_2_S, gauges.jobs),
    MetricsSection.of_ledger("lanes", FRESH_2_S, gauges.lanes),
    MetricsSection("checks", FRESH_2_S, gauges.checks),
    MetricsSection.of_ledger("workers", FRESH_2_S, gauges.workers),
    MetricsSection.of_ledger("audit", FRESH_10_S, gauges.audit),
    MetricsSection.of_ledger("training", FRESH_10_S, gauges.training),
    MetricsSection.of_ledger("sent", FRESH_10_S, gauges.sent),
    MetricsSection.of_ledger(
        "results", FRESH_60_S, gauges.results, query_timeout_s=5.0
    ),
    MetricsSection("retention", FRESH_60_S, gauges.retention),
)
NAMED_SECTIONS = (
    MetricsSection.of_ledger("models", FRESH_2_S, gauges.models),
    MetricsSection.of_ledger("hospital-lanes", FRESH_2_S, gauges.hospital_lanes),
    MetricsSection.of_ledger(
        "hospitals", FRESH_60_S, gauges.hospitals, query_timeout_s=20.0
    ),
)


def metrics_page(dependencies: Dependencies, named: bool) -> bytes:
    """Render the metrics page. If `named` is true, it includes the sections that name hospitals and
    models.
    """
    deadline = time.monotonic() + PAGE_TIME_S
    registry = CollectorRegistry()
    ok = Gauge(
        "sera_reading_ok",
        "1 where the figures of this name could be read.",
        ["reading"],
        registry=registry,
    )
    parts = [generate_latest(REGISTRY)]
    sections = (*PUBLIC_SECTIONS, *NAMED_SECTIONS) if named else PUBLIC_SECTIONS
    for section in sections:
        text = None
        if time.monotonic() < deadline:
            text = _cached_text(dependencies, section)
        ok.labels(section.name).set(text is not None)
        parts.append(text or b"")
    parts.append(generate_latest(registry))
    return b"".join(parts)


def _cached_text(dependencies: Dependencies, section: MetricsSection) -> bytes | None:
    return dependencies.answer_cache.get_or_make(
        ("reading", section.name),
        section.max_age_s,
        lambda: _read(dependencies, section),
    )


def _read(dependencies: Dependencies, section: MetricsSection) -> bytes | None:
    """Return the text of a section, or None if reading it failed.

    A failure is cached like figures, so that the next request does not wait for it again.
    """
    registry = CollectorRegistry()
    try:
        section.fill(dependencies, registry)
    except Exception as error:  # noqa: BLE001 (a page without these figures is better than none)
        log().warning(
            "metrics.unread", reading=section.name, error=type(error).__name__
        )
        return None
    return generate_latest(registry)
