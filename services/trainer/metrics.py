"""A trainer's metrics: the time and the outcome of its steps."""

import time
from collections.abc import Callable

from prometheus_client import Counter, Histogram

from shared.ledger.training.steps import ClaimedStep
from shared.observability import tracing
from shared.observability.metrics import REGISTRY

STEP_S = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600)

SECONDS = Histogram(
    "sera_trainer_step_seconds",
    "A step's time, by kind.",
    ["kind"],
    buckets=STEP_S,
    registry=REGISTRY,
)
STEPS = Counter(
    "sera_trainer_steps_total",
    "Steps worked on, by what came of them.",
    ["kind", "outcome"],
    registry=REGISTRY,
)


def measure_step(step: ClaimedStep, work: Callable[[ClaimedStep], str]) -> None:
    """Do a step and record its time and its outcome, which `work` returns."""
    began = time.perf_counter()
    with tracing.span(
        "train.step", run=str(step.run_id), kind=step.kind, step=step.name
    ) as span:
        outcome = work(step)
        if span:
            span.set_attribute("outcome", outcome)
    SECONDS.labels(step.kind).observe(time.perf_counter() - began)
    STEPS.labels(step.kind, outcome).inc()
