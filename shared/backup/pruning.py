"""Old backups go, and with them the objects that no later one names: what was erased is gone from here then too."""

from shared.backup.create import read_object_hashes
from shared.backup.folder import BackupFolder


def prune(place: BackupFolder, keep: int) -> tuple[list[str], int]:
    """Keep the newest backups, that many of them; returns which went, and how many objects did."""
    with place.locked():
        old = place.backup_names()[:-keep]
        for name in old:
            place.remove_backup(name)
        needed = {
            sha256 for name in place.backup_names() for sha256 in read_object_hashes(place.backup_folder(name))
        }
        idle = sorted(set(place.object_hashes()) - needed)
        for sha256 in idle:
            place.objects.delete(sha256)
        return old, len(idle)
