"""Backups of the ledger at one moment, with every object that it names.

All backups are in one folder, which stores each object once.
"""

from shared.backup.create import CreatedBackup, Source, create_backup
from shared.backup.folder import BackupFolder, BackupNotFound
from shared.backup.keys import KeysMissing
from shared.backup.manifest import Manifest
from shared.backup.pruning import prune
from shared.backup.restore import RestoreResult, restore
from shared.backup.verification import VerificationResult, verify_backup
from shared.backup.withdrawal_notes import update_note

__all__ = [
    "BackupFolder",
    "BackupNotFound",
    "CreatedBackup",
    "KeysMissing",
    "Manifest",
    "RestoreResult",
    "Source",
    "VerificationResult",
    "create_backup",
    "prune",
    "restore",
    "update_note",
    "verify_backup",
]
