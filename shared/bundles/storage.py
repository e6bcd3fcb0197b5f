"""Stores bundles in the object store: every file under its own hash.

The manifest's hash is the bundle's name.
"""

from pathlib import Path

from shared.bundles.errors import BundleExists
from shared.bundles.loading import assemble_folder, list_files
from shared.bundles.manifest import MANIFEST_FILE
from shared.objects import ObjectStore


def publish(folder: Path, objects: ObjectStore) -> str:
    """Store a bundle's files, and return its digest.

    The manifest is stored last, so that the bundle of a known digest is complete.
    """
    entries = list_files(folder)
    for path in sorted(entries, key=lambda path: path == MANIFEST_FILE):
        objects.put((folder / path).read_bytes())
    return entries[MANIFEST_FILE].sha256


def fetch(digest: str, objects: ObjectStore, bundles_folder: Path) -> Path:
    """Return the bundle's folder below `bundles_folder`. It is downloaded if it does not exist.

    Raises
    ------
    ObjectMissing, ObjectCorrupt, ObjectsUnavailable, BundleUnreadable, BundleTampered
    """
    folder = bundles_folder / digest
    if folder.exists():
        return folder
    try:
        assemble_folder(digest, objects.get, folder)
    except BundleExists:  # another worker of this machine has already written it
        return folder
    return folder
