"""Prometheus gauges of the ledger's figures. Each function reads one group of figures."""

import math
from collections import Counter
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge

from services.api.dependencies import Dependencies
from services.api.monitoring import drift, readiness
from services.api.monitoring.quality import DECISIONS
from services.api.monitoring.service import DAYS, days_before
from shared.domain.jobs import JobState
from shared.domain.training.states import RunState
from shared.ledger import SystemSession
from shared.ledger.jobs.queue import QueueProgress
from shared.ledger.monitoring.observations import Window
from shared.observability.disk_space import disk_usage
from shared.statistics import DriftState

DRIFT_STATES = {DriftState.OK: 0, DriftState.WATCH: 1, DriftState.ALARM: 2}
LANES = {True: "urgent", False: "routine"}
"""Name of each lane. The key is whether its jobs are urgent."""
RETENTION_TIMEOUT_S = 5.0
HOSPITAL_LANE_LABELS = ["hospital", "lane"]


def checks(dependencies: Dependencies, registry: CollectorRegistry) -> None:
    """Set the gauges of the `/readyz` checks and of the free disk space."""
    states = readiness.required_checks(dependencies)
    states |= dict.fromkeys(readiness.DEGRADING, "ok")
    states |= readiness.degraded_checks(dependencies)
    gauge = Gauge(
        "sera_check_ok",
        "1 where `/readyz` finds nothing wrong.",
        ["check"],
        registry=registry,
    )
    for check, state in states.items():
        gauge.labels(check).set(state == "ok")
    settings = dependencies.settings
    usage = disk_usage(settings.home)
    _set_gauge(
        registry,
        name="sera_home_free_bytes",
        about="Room that is left where the home lies.",
        value=usage.free,
    )
    _set_gauge(
        registry,
        name="sera_home_size_bytes",
        about="Size of the disk where the home lies.",
        value=usage.total,
    )
    _set_gauge(
        registry,
        name="sera_home_least_free_bytes",
        about="With less the service is degraded (SERA_LEAST_FREE_MIB).",
        value=settings.least_free_mib * 2**20,
    )


def jobs(session: SystemSession, registry: CollectorRegistry) -> None:
    """Count the jobs that are not final yet. Autoscalers use these figures."""
    gauge = Gauge(
        "sera_jobs", "Jobs not yet final, by state.", ["state"], registry=registry
    )
    for state, count in session.queue.depth().items():
        gauge.labels(state).set(count)
    _progress(session.queue.progress(), registry)
    _set_gauge(
        registry,
        name="sera_open_training_steps",
        about="Steps of training runs that are being done or could be now: so many trainers find "
        "work.",
        value=session.steps.count_open(),
    )


def lanes(session: SystemSession, registry: CollectorRegistry) -> None:
    """Count the waiting jobs of each lane, all hospitals together, and the faults of the queue."""
    waiting = Gauge("sera_queue_jobs", "Jobs that wait.", ["lane"], registry=registry)
    oldest = Gauge(
        "sera_queue_oldest_seconds",
        "Since the oldest of them was queued.",
        ["lane"],
        registry=registry,
    )
    backlog = session.backlog.waiting()
    for urgent, lane in LANES.items():
        lane_rows = [row for row in backlog if row.urgent is urgent]
        oldest_s = max((row.oldest_s for row in lane_rows), default=0.0)
        waiting.labels(lane).set(sum(row.jobs for row in lane_rows))
        oldest.labels(lane).set(oldest_s)
    outlines = session.outline_queue.waiting()
    _set_gauge(
        registry,
        name="sera_outlines_waiting",
        about="Requests for outlines of previews that wait.",
        value=outlines.count,
    )
    _set_gauge(
        registry,
        name="sera_outlines_oldest_seconds",
        about="Since the oldest of them was made.",
        value=outlines.oldest_s,
    )
    _set_gauge(
        registry,
        name="sera_queue_retried_jobs",
        about="Waiting jobs that outlived a worker.",
        value=session.metrics_queries.count_retried(),
    )
    _set_gauge(
        registry,
        name="sera_leases_overdue",
        about="Leases that ran out and that nobody took back yet.",
        value=session.backlog.count_expired(),
    )
    dead = Gauge(
        "sera_dead_letters_by_reason",
        "Failed jobs, by failure code.",
        ["reason"],
        registry=registry,
    )
    for summary in session.backlog.dead_letter_summaries():
        dead.labels(summary.reason).set(summary.jobs)


def sent(session: SystemSession, registry: CollectorRegistry) -> None:
    """Count the jobs that were submitted in the last hour, by state."""
    by_state = Gauge(
        "sera_sent_jobs",
        "Jobs of the last hour, by state.",
        ["state"],
        registry=registry,
    )
    failed = Gauge(
        "sera_sent_failed_jobs",
        "Failed jobs of the last hour, by code.",
        ["reason"],
        registry=registry,
    )
    for state in JobState:
        by_state.labels(state).set(0)
    for row in session.metrics_queries.submitted():
        by_state.labels(row.state).inc(row.jobs)
        if row.state == JobState.FAILED:
            failed.labels(row.reason or "internal").inc(row.jobs)


def workers(session: SystemSession, registry: CollectorRegistry) -> None:
    """Count the workers that sent a sign of life recently."""
    present = session.serving.present_workers()
    _set_gauge(
        registry,
        name="sera_workers",
        about="Workers that are there.",
        value=len(present),
    )
    _set_gauge(
        registry,
        name="sera_workers_idle",
        about="Workers that serve no model.",
        value=sum(worker.model_digest is None for worker in present),
    )
    _set_gauge(
        registry,
        name="sera_workers_refusing",
        about="Workers that refused the live model.",
        value=sum(bool(worker.refusal) for worker in present),
    )


def models(session: SystemSession, registry: CollectorRegistry) -> None:
    """Report the live model, and the models that workers serve, by name and version."""
    names = session.metrics_queries.models()
    live_digest = session.models.live_digest()
    serving = Gauge(
        "sera_workers_serving",
        "Workers, by the model that they serve.",
        ["model"],
        registry=registry,
    )
    for worker in session.serving.present_workers():
        if worker.model_digest:
            serving.labels(names.get(worker.model_digest, "unknown")).inc()
    live = Gauge(
        "sera_live_model_info",
        "The live model; always 1.",
        ["model", "digest"],
        registry=registry,
    )
    if live_digest:
        live.labels(names[live_digest], live_digest).set(1)


def training(session: SystemSession, registry: CollectorRegistry) -> None:
    gauge = Gauge(
        "sera_training_runs", "Training runs, by state.", ["state"], registry=registry
    )
    counts = dict.fromkeys(RunState, 0) | session.metrics_queries.runs()
    for state, count in counts.items():
        gauge.labels(state).set(count)
    _set_gauge(
        registry,
        name="sera_trainers",
        about="Trainers that told of themselves within ten minutes.",
        value=len(session.trainers.present()),
    )


def audit(session: SystemSession, registry: CollectorRegistry) -> None:
    age = session.metrics_queries.audit()
    _set_gauge(
        registry,
        name="sera_audit_head_age_seconds",
        about="Since the newest event of the audit trail.",
        value=age.head_s,
    )
    _set_gauge(
        registry,
        name="sera_audit_seal_age_seconds",
        about="Since the newest seal; a trail that did not grow gets none.",
        value=age.seal_s,
    )
    _set_gauge(
        registry,
        name="sera_audit_unsealed_seconds",
        about="Since the oldest event that no seal covers; 0 without one.",
        value=age.unsealed_s,
    )
    _set_gauge(
        registry,
        name="sera_audit_unsealed_chains",
        about="Chains with events that no seal covers.",
        value=age.unsealed_chains,
    )


def retention(dependencies: Dependencies, registry: CollectorRegistry) -> None:
    """Count the cases and objects that are due to be erased, all hospitals together."""
    with dependencies.ledger.system_session("gateway") as session:
        session.metrics_queries.set_timeout(RETENTION_TIMEOUT_S)
        due_cases = session.retention.count_due(
            dependencies.settings.retention_days
        ).values()
        orphans = session.orphaned_objects.count()
    _set_gauge(
        registry,
        name="sera_retention_due_cases",
        about="Cases older than their hospital keeps them.",
        value=sum(hospital.cases for hospital in due_cases),
    )
    _set_gauge(
        registry,
        name="sera_retention_overdue_cases",
        about="Cases that are due for a day: nobody erases.",
        value=sum(hospital.overdue for hospital in due_cases),
    )
    _set_gauge(
        registry,
        name="sera_orphaned_objects",
        about="Objects of erased cases to be looked at and removed.",
        value=orphans,
    )


def results(session: SystemSession, registry: CollectorRegistry) -> None:
    """Count the results by decision, all hospitals together."""
    gauge = Gauge(
        "sera_results",
        f"Results of the last {DAYS} days.",
        ["decision"],
        registry=registry,
    )
    counts = Counter(dict.fromkeys(DECISIONS, 0))
    for row in session.observations.decisions(Window(_since())):
        counts[row.decision] += row.results
    for decision, count in counts.items():
        gauge.labels(decision).set(count)


def hospital_lanes(session: SystemSession, registry: CollectorRegistry) -> None:
    """Count the waiting jobs of each hospital, by name of the hospital."""
    backlog = session.backlog.waiting()
    waiting = Gauge(
        "sera_hospital_queue_jobs",
        "Jobs that wait.",
        HOSPITAL_LANE_LABELS,
        registry=registry,
    )
    oldest = Gauge(
        "sera_hospital_queue_oldest_seconds",
        "Since the oldest was queued.",
        HOSPITAL_LANE_LABELS,
        registry=registry,
    )
    for row in backlog:
        lane = LANES[row.urgent]
        waiting.labels(row.hospital, lane).set(row.jobs)
        oldest.labels(row.hospital, lane).set(row.oldest_s)


def hospitals(session: SystemSession, registry: CollectorRegistry) -> None:
    """Count the results of each hospital by decision, and report their drift from the live model's
    training images.
    """
    gauge = Gauge(
        "sera_hospital_results",
        f"Results of the last {DAYS} days.",
        ["hospital", "decision"],
        registry=registry,
    )
    names = session.observations.hospitals()
    for row in session.observations.decisions(Window(_since())):
        gauge.labels(names[row.hospital], row.decision).inc(row.results)
    _drift(session, registry, session.models.live_digest())


def _since() -> datetime:
    return days_before(datetime.now(UTC), DAYS)


def _progress(progress: QueueProgress, registry: CollectorRegistry) -> None:
    """Report the backlog of the queue.

    No job is being completed if `sera_oldest_queued_seconds` and `sera_last_result_seconds` both
    grow.
    """
    _set_gauge(
        registry,
        name="sera_oldest_queued_seconds",
        about="Since the longest waiting job could be claimed.",
        value=progress.oldest_queued_s or 0.0,
    )
    _set_gauge(
        registry,
        name="sera_last_result_seconds",
        about="Since the last result; NaN before the first one.",
        value=progress.last_result_s,
    )
    _set_gauge(
        registry,
        name="sera_dead_letters",
        about="Failed jobs that an operator may run again.",
        value=progress.dead_letters,
    )


def _drift(
    session: SystemSession, registry: CollectorRegistry, live_digest: str | None
) -> None:
    labels = ["hospital", "quantity"]
    psi = Gauge(
        "sera_drift_psi",
        "Population stability index under the live model.",
        labels,
        registry=registry,
    )
    state = Gauge(
        "sera_drift_state",
        "0 ok, 1 watch, 2 alarm; absent with too few results.",
        labels,
        registry=registry,
    )
    if live_digest is None:
        return
    window = Window(_since(), model=live_digest)
    for group in drift.measure(session.observations, window).groups:
        if group.level != "hospital":
            continue
        for quantity in group.quantities:
            psi.labels(group.hospital, quantity.quantity).set(quantity.psi)
            if quantity.state in DRIFT_STATES:
                number = DRIFT_STATES[quantity.state]
                state.labels(group.hospital, quantity.quantity).set(number)


def _set_gauge(
    registry: CollectorRegistry, *, name: str, about: str, value: float | None
) -> None:
    """Register a gauge without labels and set it; None becomes NaN."""
    gauge = Gauge(name, about, registry=registry)
    gauge.set(math.nan if value is None else value)
