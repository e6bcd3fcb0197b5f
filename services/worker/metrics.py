"""A worker's metrics: batches, stages, results, and the model that serves."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from services.worker.bundle_cache import ServedModel
from shared.observability.metrics import REGISTRY
from shared.observability.timings import Timing

STAGE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ANSWER_S = (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)

BATCH = Histogram(
    "sera_worker_batch_images",
    "Jobs claimed at once.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
    registry=REGISTRY,
)
STAGES = Histogram(
    "sera_worker_stage_seconds",
    "A stage's time: fetch, decode and preprocess of an image; claim, features, classify and "
    "write of a batch.",
    ["stage"],
    buckets=STAGE_S,
    registry=REGISTRY,
)
INFERENCE = Histogram(
    "sera_worker_inference_image_seconds",
    "A batch's inference over its images.",
    buckets=STAGE_S,
    registry=REGISTRY,
)
WAITED = Histogram(
    "sera_case_wait_seconds",
    "From a case's acceptance to its claim.",
    ["lane"],
    buckets=ANSWER_S,
    registry=REGISTRY,
)
ANSWERED = Histogram(
    "sera_case_answer_seconds",
    "From a case's acceptance until its result was written.",
    ["lane"],
    buckets=ANSWER_S,
    registry=REGISTRY,
)
JOBS = Counter(
    "sera_worker_jobs_total",
    "Jobs worked on, by what came of them.",
    ["outcome"],
    registry=REGISTRY,
)
EXPIRED = Counter(
    "sera_leases_expired_total",
    "Leases of lost or stuck workers that this one took back.",
    registry=REGISTRY,
)
MODEL = Gauge(
    "sera_worker_model_info",
    "The model that serves here; always 1.",
    ["model", "digest"],
    registry=REGISTRY,
)
OUTLINE_WAITED = Histogram(
    "sera_outline_wait_seconds",
    "From the request for outlines of a preview to its claim.",
    buckets=STAGE_S,
    registry=REGISTRY,
)
OUTLINE_DRAWN = Histogram(
    "sera_outline_seconds",
    "Drawing the outlines of one preview, with fetching and decoding.",
    buckets=STAGE_S,
    registry=REGISTRY,
)
OUTLINES = Counter(
    "sera_outlines_total",
    "Requests for outlines of previews: drawn, or the code of the reason why not.",
    ["outcome"],
    registry=REGISTRY,
)
SHADOWED = Counter(
    "sera_shadow_results_total",
    "Cases that a candidate in the shadow has read.",
    registry=REGISTRY,
)

for _lane in ("urgent", "routine"):
    WAITED.labels(_lane)
    ANSWERED.labels(_lane)


def lane(urgent: bool) -> str:
    return "urgent" if urgent else "routine"


def observe_stages(timings: Iterable[Timing]) -> None:
    for timing in timings:
        STAGES.labels(timing.name).observe(timing.seconds)


def set_served_model(model: ServedModel | None) -> None:
    MODEL.clear()
    if model:
        MODEL.labels(f"{model.name}/{model.version}", model.digest).set(1)
