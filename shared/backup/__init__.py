"""Backups: the ledger at one moment and every object that it names, in a folder that grows by what is new."""

from shared.backup.create import Source, CreatedBackup, create_backup
from shared.backup.folder import NoBackup, BackupFolder
from shared.backup.keys import KeysMissing
from shared.backup.manifest import Manifest
from shared.backup.pruning import prune
from shared.backup.restore import RestoreResult, restore
from shared.backup.verification import VerificationResult, verify_backup
from shared.backup.withdrawal_notes import update_note

__all__ = [
    "VerificationResult",
    "KeysMissing",
    "Manifest",
    "NoBackup",
    "BackupFolder",
    "RestoreResult",
    "Source",
    "CreatedBackup",
    "verify_backup",
    "update_note",
    "prune",
    "restore",
    "create_backup",
]
