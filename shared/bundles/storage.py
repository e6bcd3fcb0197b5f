"""Stores bundles in the object store: every file under its own hash.

The manifest's hash is the bundle's name.
"""

from pathlib import Path

from shared.bundles.errors import BundleExists
from shared.bundles.first_load import check_in_sandbox
from shared.bundles.loading import fetch_contents, list_files
from shared.bundles.manifest import MANIFEST_FILE
from shared.bundles.saving import write_folder
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

    It exists only after a process of the sandbox has loaded the bundle.

    Raises
    ------
    ObjectMissing, ObjectCorrupt, ObjectsUnavailable, and the errors of `check_in_sandbox`
    """
    folder = bundles_folder / digest
    if folder.exists():
        return folder
    contents = fetch_contents(digest, objects.get)
    check_in_sandbox(contents, digest)
    try:
        write_folder(folder, contents)
    except BundleExists:  # another worker of this machine has already written it
        return folder
    return folder
