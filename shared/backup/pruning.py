"""Old backups go, and with them the objects that no later one names: what was erased is gone from here then too."""

from shared.backup.create import listed
from shared.backup.folder import Place


def prune(place: Place, keep: int) -> tuple[list[str], int]:
    """Keep the newest backups, that many of them; returns which went, and how many objects did."""
    with place.held():
        old = place.names()[:-keep]
        for name in old:
            place.drop(name)
        needed = {
            sha256 for name in place.names() for sha256 in listed(place.folder(name))
        }
        idle = sorted(set(place.stored()) - needed)
        for sha256 in idle:
            place.objects.delete(sha256)
        return old, len(idle)
