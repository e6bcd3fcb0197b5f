"""Backups: the ledger at one moment and every object that it names, in a folder that grows by what is new."""

from shared.backup.create import Source, Taken, take
from shared.backup.folder import NoBackup, Place
from shared.backup.keys import KeysMissing
from shared.backup.manifest import Manifest
from shared.backup.pruning import prune
from shared.backup.restore import Restored, restore
from shared.backup.verification import Checked, check
from shared.backup.withdrawal_notes import note

__all__ = [
    "Checked",
    "KeysMissing",
    "Manifest",
    "NoBackup",
    "Place",
    "Restored",
    "Source",
    "Taken",
    "check",
    "note",
    "prune",
    "restore",
    "take",
]
