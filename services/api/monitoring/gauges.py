"""Figures of hospitals for Prometheus: few labels, and measured at most once a minute however often it scrapes."""

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from services.api.dependencies import Wiring
from services.api.monitoring import drift
from services.api.monitoring.quality import DECISIONS
from services.api.monitoring.service import DAYS, days_before
from shared.ledger.ledger import House
from shared.ledger.observations import Window
from shared.ledger.queue import Progress
from shared.statistics import DriftState

FRESH_S = 60.0
STATES = {DriftState.OK: 0, DriftState.WATCH: 1, DriftState.ALARM: 2}


def jobs(wired: Wiring) -> bytes:
    """Jobs that are not yet final; read at each scrape, since autoscalers go by it."""
    with wired.ledger.whole("gateway") as house:
        depth, progress, steps = house.queue.depth(), house.queue.progress(), house.steps.open()
    registry = CollectorRegistry()
    gauge = Gauge("sera_jobs", "Jobs not yet final, by state.", ["state"], registry=registry)
    for state, count in depth.items():
        gauge.labels(state).set(count)
    _progress(progress, registry)
    about = "Steps of training runs that are being done or could be now: so many trainers find work."
    Gauge("sera_open_training_steps", about, registry=registry).set(steps)
    return generate_latest(registry)


def results(wired: Wiring) -> bytes:
    """Results by decision, of all hospitals together."""
    return wired.memory.recall(("gauges", "results"), FRESH_S, lambda: _read(wired, _results))


def hospitals(wired: Wiring) -> bytes:
    """Results by decision, and drift from the live model's training images, of each hospital by its name."""
    return wired.memory.recall(("gauges", "hospitals"), FRESH_S, lambda: _read(wired, _hospitals))


def _progress(progress: Progress, registry: CollectorRegistry) -> None:
    """An alarm for `oldest_queued` that grows while `last_result` grows too means that nothing is being completed."""
    oldest = Gauge("sera_oldest_queued_seconds", "Since the longest waiting job could be claimed.", registry=registry)
    oldest.set(progress.oldest_queued_s or 0.0)
    last = Gauge("sera_last_result_seconds", "Since the last result; NaN before the first one.", registry=registry)
    last.set(math.nan if progress.last_result_s is None else progress.last_result_s)
    dead = Gauge("sera_dead_letters", "Failed jobs that an operator may run again.", registry=registry)
    dead.set(progress.dead_letters)


def retention(wired: Wiring) -> bytes:
    """What is to be erased, of all hospitals together."""
    return wired.memory.recall(("gauges", "retention"), FRESH_S, lambda: _retention(wired))


def _retention(wired: Wiring) -> bytes:
    registry = CollectorRegistry()
    with wired.ledger.whole("gateway") as house:
        due, orphans = house.retention.due(wired.settings.retention_days).values(), house.orphans.count()
    gauge = Gauge("sera_retention_due_cases", "Cases older than their hospital keeps them.", registry=registry)
    gauge.set(sum(each.cases for each in due))
    overdue = Gauge("sera_retention_overdue_cases", "Cases that are due for a day: nobody erases.", registry=registry)
    overdue.set(sum(each.overdue for each in due))
    waiting = Gauge("sera_orphaned_objects", "Objects of erased cases to be looked at and removed.", registry=registry)
    waiting.set(orphans)
    return generate_latest(registry)


def _read(wired: Wiring, fill: Callable[[House, CollectorRegistry, datetime], None]) -> bytes:
    registry = CollectorRegistry()
    with wired.ledger.whole("gateway") as house:
        fill(house, registry, days_before(datetime.now(UTC), DAYS))
    return generate_latest(registry)


def _results(house: House, registry: CollectorRegistry, since: datetime) -> None:
    gauge = Gauge("sera_results", f"Results of the last {DAYS} days.", ["decision"], registry=registry)
    counts = Counter(dict.fromkeys(DECISIONS, 0))
    for row in house.observations.decisions(Window(since)):
        counts[row.decision] += row.results
    for decision, count in counts.items():
        gauge.labels(decision).set(count)


def _hospitals(house: House, registry: CollectorRegistry, since: datetime) -> None:
    about = f"Results of the last {DAYS} days."
    gauge = Gauge("sera_hospital_results", about, ["hospital", "decision"], registry=registry)
    names = house.observations.hospitals()
    for row in house.observations.decisions(Window(since)):
        gauge.labels(names[row.hospital], row.decision).inc(row.results)
    if live := house.models.live():
        _drift(house, registry, Window(since, model=live))


def _drift(house: House, registry: CollectorRegistry, window: Window) -> None:
    by = ["hospital", "quantity"]
    psi = Gauge("sera_drift_psi", "Population stability index under the live model.", by, registry=registry)
    state = Gauge("sera_drift_state", "0 ok, 1 watch, 2 alarm; absent with too few results.", by, registry=registry)
    for group in drift.measure(house.observations, window).groups:
        for each in group.quantities if group.level == "hospital" else ():
            psi.labels(group.hospital, each.quantity).set(each.psi)
            if each.state in STATES:
                state.labels(group.hospital, each.quantity).set(STATES[each.state])
