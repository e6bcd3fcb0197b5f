"""Which pages there are, in the order a person meets them, and who sees the way to each."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.dependencies import may
from shared.domain.roles import Act
from shared.ledger.hospitals import Caller


@dataclass(frozen=True)
class Entry:
    """A page: its path, the key of its name, and what a person must be able to do one of."""

    path: str
    name: str
    acts: Sequence[Act]


ENTRIES = (
    Entry("/", "common.nav.reader", [Act.SUBMIT]),
    Entry("/batch", "batch.nav", [Act.SUBMIT]),
    Entry("/console/models", "models.nav", [Act.OPERATE]),
)


def entries(caller: Caller | None) -> list[Entry]:
    """Those that this person may open."""
    if caller is None:
        return []
    return [entry for entry in ENTRIES if any(may(caller.role, act) for act in entry.acts)]
