"""Which pages there are, in the order a person meets them, and who sees the way to each."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.dependencies import is_permitted
from shared.domain.roles import Permission
from shared.ledger.hospitals.repository import Caller


@dataclass(frozen=True)
class Entry:
    """A page: its path, the key of its name, and what a person must be able to do one of."""

    path: str
    label_key: str
    acts: Sequence[Permission]

    def contains(self, path: str) -> bool:
        """Whether this is the page, or one of those below it."""
        return path == self.path or path.startswith(f"{self.path}/")


CONSOLE_PERMISSIONS = (
    Permission.OPERATE,
    Permission.AUDIT,
    Permission.ADMINISTER,
    Permission.MONITOR,
    Permission.MANAGE_KEYS,
    Permission.MANAGE_PEOPLE,
)
ENTRIES = (
    Entry("/", "common.nav.reader", [Permission.SUBMIT]),
    Entry("/worklist", "worklist.nav", [Permission.READ]),
    Entry("/batch", "batch.nav", [Permission.SUBMIT]),
    Entry("/studies", "studies.nav", [Permission.READ]),
    Entry("/wall", "wall.nav", [Permission.READ, Permission.MONITOR]),
    Entry("/console", "console.title", CONSOLE_PERMISSIONS),
)


def permitted_entries(caller: Caller | None, candidates: Sequence[Entry] = ENTRIES) -> list[Entry]:
    """Those that this person may open."""
    if caller is None:
        return []
    return [
        entry for entry in candidates if any(is_permitted(caller.role, act) for act in entry.acts)
    ]
