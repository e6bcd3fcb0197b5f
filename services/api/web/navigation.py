"""The pages in the order of the menu, and the permissions that each of them needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.dependencies import is_permitted
from shared.domain.roles import Permission, Role
from shared.ledger.hospitals.repository import Caller


@dataclass(frozen=True)
class Entry:
    """A page in a menu. Any one of `permissions` is enough to open it."""

    path: str
    label_key: str
    permissions: Sequence[Permission]

    def contains(self, path: str) -> bool:
        """Whether the path is this page or one below it."""
        return path == self.path or path.startswith(f"{self.path}/")

    def is_open_to(self, role: Role) -> bool:
        return any(is_permitted(role, permission) for permission in self.permissions)


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


def permitted_entries(
    caller: Caller | None, candidates: Sequence[Entry] = ENTRIES
) -> list[Entry]:
    """The pages that the caller may open; none before signing in."""
    if caller is None:
        return []
    return [entry for entry in candidates if entry.is_open_to(caller.role)]
