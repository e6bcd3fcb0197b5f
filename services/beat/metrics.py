"""What beat measures: the rings it sent, those that nobody has heard yet, and those that were lost."""

from prometheus_client import Counter

from shared.observability.metrics import REGISTRY
from shared.queueing.app import Tasks

RINGS = Counter("sera_beat_rings_total", "Rings sent.", ["task"], registry=REGISTRY)
UNHEARD = Counter(
    "sera_beat_rings_unheard_total",
    "Rings left out, since the one before waits still: nobody listens, or all are busy.",
    ["task"],
    registry=REGISTRY,
)
LOST_RINGS = Counter(
    "sera_beat_rounds_lost_total", "Rounds that found no broker.", registry=REGISTRY
)

for _task in Tasks:
    RINGS.labels(_task)
    UNHEARD.labels(_task)
