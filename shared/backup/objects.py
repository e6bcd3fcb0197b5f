"""Copies objects from one store to another, each under its own hash.

Objects that exist in the target are not copied again.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from shared.objects import ObjectDamaged, ObjectStore

SPOOL_BYTES = 8 << 20
ProgressCallback = Callable[[str, float, str], None]
"""Called with a stage, the finished fraction of it (0 to 1), and a short message."""


def never_exists(_sha256: str) -> bool:
    return False


def ignore_progress(_stage: str, _fraction: float, _message: str) -> None: ...


@dataclass
class CopyResult:
    """The result of a copy.

    `existing_count` counts objects that the target already had. `missing_objects` are damaged or
    missing in the source.
    """

    new_count: int = 0
    new_bytes: int = 0
    existing_count: int = 0
    missing_objects: list[str] = field(default_factory=list)


def with_model_files(
    hashes: Iterable[str], model_digests: Iterable[str], source: ObjectStore
) -> list[str]:
    """Return the objects of the ledger's rows, and the files that the models' manifests name."""
    all_hashes = set(hashes)
    for digest in model_digests:
        all_hashes.update(_model_files(digest, source))
    return sorted(all_hashes)


def copy_objects(
    hashes: list[str],
    source: ObjectStore,
    target: ObjectStore,
    report_progress: ProgressCallback,
    exists: Callable[[str], bool] = never_exists,
) -> CopyResult:
    """Copy the objects that do not exist in the target. Raises StorageFull, ObjectsUnavailable."""
    result = CopyResult()
    for sha256 in _with_progress(hashes, "objects", report_progress):
        if exists(sha256):
            result.existing_count += 1
        else:
            _copy(sha256, source, target, result)
    return result


def damaged_objects(
    hashes: list[str],
    store: ObjectStore,
    stage: str,
    report_progress: ProgressCallback,
) -> list[str]:
    """Read every object, and return those that are missing or do not match their hash."""
    return [
        sha256
        for sha256 in _with_progress(hashes, stage, report_progress)
        if not _is_intact(sha256, store)
    ]


def _with_progress(
    hashes: list[str], stage: str, report_progress: ProgressCallback
) -> Iterator[str]:
    """Yield the hashes, and report progress after each."""
    total = len(hashes)
    for number, sha256 in enumerate(hashes, start=1):
        yield sha256
        report_progress(stage, number / total, f"{number} of {total}")


def _is_intact(sha256: str, store: ObjectStore) -> bool:
    try:
        with open(os.devnull, "wb") as devnull:
            store.copy_to(sha256, devnull)
    except ObjectDamaged:
        return False
    return True


def _copy(
    sha256: str, source: ObjectStore, target: ObjectStore, result: CopyResult
) -> None:
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
        try:
            size = source.copy_to(sha256, spool)
        except ObjectDamaged:
            result.missing_objects.append(sha256)
            return
        spool.seek(0)
        target.put(spool, overwrite=True)
    result.new_count += 1
    result.new_bytes += size


def _model_files(digest: str, source: ObjectStore) -> list[str]:
    """Return the files of a model. A missing manifest is itself reported, and names no files."""
    try:
        manifest = json.loads(source.get(digest))
    except ObjectDamaged:
        return []
    return [entry["sha256"] for entry in manifest["files"].values()]
