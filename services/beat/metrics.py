"""Beat's metrics: notifications that were sent, skipped because one still waits, or lost."""

from prometheus_client import Counter

from shared.observability.metrics import REGISTRY
from shared.queueing.app import Tasks

SENT = Counter("sera_beat_rings_total", "Rings sent.", ["task"], registry=REGISTRY)
SKIPPED = Counter(
    "sera_beat_rings_unheard_total",
    "Rings left out, since the one before waits still: nobody listens, or all are busy.",
    ["task"],
    registry=REGISTRY,
)
LOST_ROUNDS = Counter(
    "sera_beat_rounds_lost_total", "Rounds that found no broker.", registry=REGISTRY
)

for _task in Tasks:
    SENT.labels(_task)
    SKIPPED.labels(_task)
