"""Removes old backups, and the objects that only old backups name.

This also removes erased cases from the backups.
"""

from shared.backup.create import read_object_hashes
from shared.backup.folder import BackupFolder


def prune(backups: BackupFolder, keep: int) -> tuple[list[str], int]:
    """Keep the latest `keep` backups, and remove the others.

    Returns the names of the removed backups and the number of the removed objects.
    """
    with backups.locked():
        old_names = backups.backup_names()[:-keep]
        for name in old_names:
            backups.remove_backup(name)
        needed_hashes: set[str] = set()
        for name in backups.backup_names():
            needed_hashes.update(read_object_hashes(backups.backup_folder(name)))
        unused_hashes = set(backups.object_hashes()) - needed_hashes
        for sha256 in sorted(unused_hashes):
            backups.objects.delete(sha256)
        return old_names, len(unused_hashes)
