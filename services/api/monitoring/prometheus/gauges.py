"""Figures of the ledger for Prometheus: few labels, each filled by a function that reads one thing."""

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

STATES = {DriftState.OK: 0, DriftState.WATCH: 1, DriftState.ALARM: 2}
LANES = {True: "urgent", False: "routine"}
RETENTION_S = 5.0
LANE_OF_HOSPITAL = ["hospital", "lane"]


def checks(dependencies: Dependencies, registry: CollectorRegistry) -> None:
    """What `/readyz` says, and the room that is left."""
    degraded = readiness.degraded_checks(dependencies)
    states = (
        readiness.required_checks(dependencies) | dict.fromkeys(readiness.DEGRADING, "ok") | degraded
    )
    gauge = Gauge(
        "sera_check_ok",
        "1 where `/readyz` finds nothing wrong.",
        ["check"],
        registry=registry,
    )
    for check, state in states.items():
        gauge.labels(check).set(state == "ok")
    space = disk_usage(dependencies.settings.home)
    least = dependencies.settings.least_free_mib * 2**20
    for name, about, value in (
        ("sera_home_free_bytes", "Room that is left where the home lies.", space.free),
        ("sera_home_size_bytes", "Size of the disk where the home lies.", space.total),
        (
            "sera_home_least_free_bytes",
            "With less the service is degraded (SERA_LEAST_FREE_MIB).",
            least,
        ),
    ):
        Gauge(name, about, registry=registry).set(value)


def jobs(session: SystemSession, registry: CollectorRegistry) -> None:
    """Jobs that are not yet final; autoscalers go by it."""
    gauge = Gauge(
        "sera_jobs", "Jobs not yet final, by state.", ["state"], registry=registry
    )
    for state, count in session.queue.depth().items():
        gauge.labels(state).set(count)
    _progress(session.queue.progress(), registry)
    about = "Steps of training runs that are being done or could be now: so many trainers find work."
    Gauge("sera_open_training_steps", about, registry=registry).set(
        session.steps.count_open()
    )


def lanes(session: SystemSession, registry: CollectorRegistry) -> None:
    """What waits in each lane, of all hospitals together, and what went wrong with it."""
    waiting = Gauge("sera_queue_jobs", "Jobs that wait.", ["lane"], registry=registry)
    oldest = Gauge(
        "sera_queue_oldest_seconds",
        "Since the oldest of them was queued.",
        ["lane"],
        registry=registry,
    )
    lines = session.backlog.waiting()
    for urgent, lane in LANES.items():
        own = [line for line in lines if line.urgent is urgent]
        waiting.labels(lane).set(sum(line.jobs for line in own))
        oldest.labels(lane).set(max((line.oldest_s for line in own), default=0.0))
    retried = Gauge(
        "sera_queue_retried_jobs",
        "Waiting jobs that outlived a worker.",
        registry=registry,
    )
    retried.set(session.metrics_queries.count_retried())
    overdue = Gauge(
        "sera_leases_overdue",
        "Leases that ran out and that nobody took back yet.",
        registry=registry,
    )
    overdue.set(session.backlog.count_expired())
    dead = Gauge(
        "sera_dead_letters_by_reason",
        "Failed jobs, by failure code.",
        ["reason"],
        registry=registry,
    )
    for each in session.backlog.dead_letter_summaries():
        dead.labels(each.reason).set(each.jobs)


def sent(session: SystemSession, registry: CollectorRegistry) -> None:
    """Where the cases of the last hour stand."""
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
    for each in session.metrics_queries.submitted():
        by_state.labels(each.state).inc(each.jobs)
        if each.state == JobState.FAILED:
            failed.labels(each.reason or "internal").inc(each.jobs)


def workers(session: SystemSession, registry: CollectorRegistry) -> None:
    """Workers that told of themselves lately."""
    alive = session.serving.present_workers()
    for name, about, count in (
        ("sera_workers", "Workers that are there.", len(alive)),
        (
            "sera_workers_idle",
            "Workers that serve no model.",
            sum(each.model_digest is None for each in alive),
        ),
        (
            "sera_workers_refusing",
            "Workers that refused the live model.",
            sum(bool(each.refusal) for each in alive),
        ),
    ):
        Gauge(name, about, registry=registry).set(count)


def models(session: SystemSession, registry: CollectorRegistry) -> None:
    """The live model, and what the workers serve, by name and version."""
    names = session.metrics_queries.models()
    digest = session.models.live_digest()
    serving = Gauge(
        "sera_workers_serving",
        "Workers, by the model that they serve.",
        ["model"],
        registry=registry,
    )
    for each in session.serving.present_workers():
        if each.model_digest:
            serving.labels(names.get(each.model_digest, "unknown")).inc()
    live = Gauge(
        "sera_live_model_info",
        "The live model; always 1.",
        ["model", "digest"],
        registry=registry,
    )
    if digest:
        live.labels(names[digest], digest).set(1)


def training(session: SystemSession, registry: CollectorRegistry) -> None:
    gauge = Gauge(
        "sera_training_runs", "Training runs, by state.", ["state"], registry=registry
    )
    for state, count in (dict.fromkeys(RunState, 0) | session.metrics_queries.runs()).items():
        gauge.labels(state).set(count)
    trainers = Gauge(
        "sera_trainers",
        "Trainers that told of themselves within ten minutes.",
        registry=registry,
    )
    trainers.set(len(session.trainers.present()))


def audit(session: SystemSession, registry: CollectorRegistry) -> None:
    age = session.metrics_queries.audit()
    for name, about, value in (
        (
            "sera_audit_head_age_seconds",
            "Since the newest event of the audit trail.",
            age.head_s,
        ),
        (
            "sera_audit_seal_age_seconds",
            "Since the newest seal; a trail that did not grow gets none.",
            age.seal_s,
        ),
        (
            "sera_audit_unsealed_seconds",
            "Since the oldest event that no seal covers; 0 without one.",
            age.unsealed_s,
        ),
        (
            "sera_audit_unsealed_chains",
            "Chains with events that no seal covers.",
            age.unsealed_chains,
        ),
    ):
        Gauge(name, about, registry=registry).set(math.nan if value is None else value)


def retention(dependencies: Dependencies, registry: CollectorRegistry) -> None:
    """What is to be erased, of all hospitals together."""
    with dependencies.ledger.system_session("gateway") as session:
        session.metrics_queries.set_timeout(RETENTION_S)
        due = session.retention.due(dependencies.settings.retention_days).values()
        orphans = session.orphaned_objects.count()
    gauge = Gauge(
        "sera_retention_due_cases",
        "Cases older than their hospital keeps them.",
        registry=registry,
    )
    gauge.set(sum(each.cases for each in due))
    overdue = Gauge(
        "sera_retention_overdue_cases",
        "Cases that are due for a day: nobody erases.",
        registry=registry,
    )
    overdue.set(sum(each.overdue for each in due))
    waiting = Gauge(
        "sera_orphaned_objects",
        "Objects of erased cases to be looked at and removed.",
        registry=registry,
    )
    waiting.set(orphans)


def results(session: SystemSession, registry: CollectorRegistry) -> None:
    """Results by decision, of all hospitals together."""
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
    """What waits of each hospital by its name."""
    by = LANE_OF_HOSPITAL
    line = session.backlog.waiting()
    waiting = Gauge(
        "sera_hospital_queue_jobs", "Jobs that wait.", by, registry=registry
    )
    oldest = Gauge(
        "sera_hospital_queue_oldest_seconds",
        "Since the oldest was queued.",
        by,
        registry=registry,
    )
    for each in line:
        waiting.labels(each.hospital, LANES[each.urgent]).set(each.jobs)
        oldest.labels(each.hospital, LANES[each.urgent]).set(each.oldest_s)


def hospitals(session: SystemSession, registry: CollectorRegistry) -> None:
    """Results by decision, and drift from the live model's training images, of each hospital by its name."""
    about = f"Results of the last {DAYS} days."
    gauge = Gauge(
        "sera_hospital_results", about, ["hospital", "decision"], registry=registry
    )
    names = session.observations.hospitals()
    for row in session.observations.decisions(Window(_since())):
        gauge.labels(names[row.hospital], row.decision).inc(row.results)
    _drift(session, registry, session.models.live_digest())


def _since() -> datetime:
    return days_before(datetime.now(UTC), DAYS)


def _progress(progress: QueueProgress, registry: CollectorRegistry) -> None:
    """An alarm for `oldest_queued` that grows while `last_result` grows too means that nothing is being completed."""
    oldest = Gauge(
        "sera_oldest_queued_seconds",
        "Since the longest waiting job could be claimed.",
        registry=registry,
    )
    oldest.set(progress.oldest_queued_s or 0.0)
    last = Gauge(
        "sera_last_result_seconds",
        "Since the last result; NaN before the first one.",
        registry=registry,
    )
    last.set(math.nan if progress.last_result_s is None else progress.last_result_s)
    dead = Gauge(
        "sera_dead_letters",
        "Failed jobs that an operator may run again.",
        registry=registry,
    )
    dead.set(progress.dead_letters)


def _drift(
    session: SystemSession, registry: CollectorRegistry, live: str | None
) -> None:
    by = ["hospital", "quantity"]
    psi = Gauge(
        "sera_drift_psi",
        "Population stability index under the live model.",
        by,
        registry=registry,
    )
    state = Gauge(
        "sera_drift_state",
        "0 ok, 1 watch, 2 alarm; absent with too few results.",
        by,
        registry=registry,
    )
    groups = (
        drift.measure(session.observations, Window(_since(), model=live)).groups
        if live
        else ()
    )
    for group in groups:
        for each in group.quantities if group.level == "hospital" else ():
            psi.labels(group.hospital, each.quantity).set(each.psi)
            if each.state in STATES:
                state.labels(group.hospital, each.quantity).set(STATES[each.state])
