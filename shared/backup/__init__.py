"""Backups: the ledger at one moment and every object that it names, in a folder that grows by what is new."""

from shared.backup.checking import Checked, check
from shared.backup.keys import KeysMissing
from shared.backup.manifest import Manifest
from shared.backup.notes import note
from shared.backup.place import NoBackup, Place
from shared.backup.pruning import prune
from shared.backup.restoring import Restored, restore
from shared.backup.taking import Source, Taken, take

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
