"""Objects go from one store to another, each under its own hash: what is there already stays."""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from shared.objects import ObjectCorrupt, ObjectMissing, ObjectStore

SPOOL_BYTES = 8 << 20
ProgressCallback = Callable[[str, float, str], None]
"""A stage, how far it has come (0 to 1), and a word on it."""


def nowhere(_sha256: str) -> bool:
    return False


def ignore_progress(_stage: str, _fraction: float, _message: str) -> None: ...


@dataclass
class CopyResult:
    """`there` had been copied before; `missing` are not in the source, or not as they were."""

    new: int = 0
    new_bytes: int = 0
    existing: int = 0
    missing: list[str] = field(default_factory=list)


def with_model_files(
    hashes: Iterable[str], models: Iterable[str], source: ObjectStore
) -> list[str]:
    """The objects of the ledger's rows, and the files that the manifests of its models name."""
    files = (name for model in models for name in _files(model, source))
    return sorted({*hashes, *files})


def copy_objects(
    hashes: list[str],
    source: ObjectStore,
    target: ObjectStore,
    report_progress: ProgressCallback,
    exists: Callable[[str], bool] = nowhere,
) -> CopyResult:
    """Those that are not there yet. Raises StorageFull, ObjectsUnavailable."""
    done = CopyResult()
    for sha256 in _followed(hashes, "objects", report_progress):
        if exists(sha256):
            done.existing += 1
        else:
            _copy(sha256, source, target, done)
    return done


def damaged_objects(hashes: list[str], store: ObjectStore, stage: str, report_progress: ProgressCallback) -> list[str]:
    """Those that are not there, or whose bytes do not make their hash; every one is read."""
    return [
        sha256
        for sha256 in _followed(hashes, stage, report_progress)
        if _size(sha256, store) is None
    ]


def _followed(hashes: list[str], stage: str, told: ProgressCallback) -> Iterator[str]:
    for place, sha256 in enumerate(hashes):
        yield sha256
        told(stage, (place + 1) / len(hashes), f"{place + 1} of {len(hashes)}")


def _size(sha256: str, store: ObjectStore) -> int | None:
    try:
        with open(os.devnull, "wb") as nowhere:
            return store.copy_to(sha256, nowhere)
    except (ObjectMissing, ObjectCorrupt):
        return None


def _copy(sha256: str, source: ObjectStore, target: ObjectStore, done: CopyResult) -> None:
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
        try:
            size = source.copy_to(sha256, spool)
        except (ObjectMissing, ObjectCorrupt):
            done.missing.append(sha256)
            return
        spool.seek(0)
        target.put(spool, overwrite=True)
    done.new = done.new + 1
    done.new_bytes = done.new_bytes + size


def _files(model: str, source: ObjectStore) -> list[str]:
    """Nothing of a manifest that is not there: it is missing itself."""
    try:
        return [
            entry["sha256"] for entry in json.loads(source.get(model))["files"].values()
        ]
    except (ObjectMissing, ObjectCorrupt):
        return []
