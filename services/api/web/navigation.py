"""Which pages there are, in the order a person meets them, and who sees the way to each."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.dependencies import is_permitted
from shared.domain.roles import Act
from shared.ledger.hospitals.repository import Caller


@dataclass(frozen=True)
class Entry:
    """A page: its path, the key of its name, and what a person must be able to do one of."""

    path: str
    name: str
    acts: Sequence[Act]

    def holds(self, path: str) -> bool:
        """Whether this is the page, or one of those below it."""
        return path == self.path or path.startswith(f"{self.path}/")


HOUSEKEEPING = (
    Act.OPERATE,
    Act.AUDIT,
    Act.ADMINISTER,
    Act.MONITOR,
    Act.MANAGE_KEYS,
    Act.MANAGE_PEOPLE,
)
ENTRIES = (
    Entry("/", "common.nav.reader", [Act.SUBMIT]),
    Entry("/worklist", "worklist.nav", [Act.READ]),
    Entry("/batch", "batch.nav", [Act.SUBMIT]),
    Entry("/studies", "studies.nav", [Act.READ]),
    Entry("/wall", "wall.nav", [Act.READ, Act.MONITOR]),
    Entry("/console", "console.title", HOUSEKEEPING),
)


def entries(caller: Caller | None, among: Sequence[Entry] = ENTRIES) -> list[Entry]:
    """Those that this person may open."""
    if caller is None:
        return []
    return [
        entry for entry in among if any(is_permitted(caller.role, act) for act in entry.acts)
    ]
