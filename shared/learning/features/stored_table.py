"""Stores a feature table for the other steps of a run, in chunks that fit in memory."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from shared.learning.errors import StoredTableMissing
from shared.learning.features.cache import FeatureCache
from shared.learning.features.extractors import Array
from shared.learning.features.table import (
    FeatureTable,
    SkippedImage,
    TableView,
    memory_mapped_rows,
)
from shared.learning.samples.nodules import NoduleReader
from shared.learning.samples.sample import Sample

CHUNK_ROWS = 1024


@dataclass(frozen=True)
class StoredTable:
    """A stored feature table.

    Its key covers the images, how nodules are cut out, and the extractors. So an entry never
    becomes outdated.
    """

    key: str

    @classmethod
    def store(
        cls, table: FeatureTable, cache: FeatureCache, nodules: NoduleReader
    ) -> Self:
        """Put a table, whose nodules were cut out by this reader, into the cache."""
        sample_keys = [sample.key for sample in table.samples]
        skipped = [asdict(image) for image in table.skipped]
        views = nodules.training_views(len(table.samples))
        readers = [nodules, *(view.nodules for view in views)]
        nodule_keys = [
            [reader.key(sample) for sample in table.samples] for reader in readers
        ]
        weights = [view.weight for view in table.views]
        facts = [sample_keys, skipped, table.digests, nodule_keys, weights]
        key = f"tables/{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}"
        tables = [*table.features]
        for view in table.views:
            tables += view.features
        for index, values in enumerate(tables):
            for chunk, start in enumerate(range(0, len(values), CHUNK_ROWS)):
                rows = values[start : start + CHUNK_ROWS]
                cache.put(f"{key}/{index}/{chunk}", rows.astype("<f4").tobytes())
        head = {
            "keys": sample_keys,
            "skipped": skipped,
            "digests": table.digests,
            "widths": [values.shape[1] for values in tables],
            "weights": weights,
        }
        cache.put(f"{key}/head", json.dumps(head).encode())
        return cls(key)

    def restore(
        self, samples: Sequence[Sample], cache: FeatureCache, folder: Path
    ) -> FeatureTable:
        """Restore the table of these samples, with its values in files of `folder`.

        Raises `StoredTableMissing`.
        """
        head = json.loads(_get_entry(cache, f"{self.key}/head"))
        samples_by_key = {sample.key: sample for sample in samples}
        chunk_count = -(-len(head["keys"]) // CHUNK_ROWS)
        features = []
        for index, width in enumerate(head["widths"]):
            path = folder / f"{self.key.rpartition('/')[2][:16]}-{index}"
            keys = [f"{self.key}/{index}/{chunk}" for chunk in range(chunk_count)]
            features.append(_restore_values(cache, keys, path, width))
        count = len(head["digests"])
        views = [
            TableView(tuple(features[number * count : (number + 1) * count]), weight)
            for number, weight in enumerate(head["weights"], start=1)
        ]
        return FeatureTable(
            samples=tuple(samples_by_key[key] for key in head["keys"]),
            features=tuple(features[:count]),
            digests=tuple(head["digests"]),
            skipped=tuple(SkippedImage(**image) for image in head["skipped"]),
            views=tuple(views),
        )


def _restore_values(
    cache: FeatureCache, keys: Sequence[str], path: Path, width: int
) -> Array:
    """Write the entries of one feature set into a file, and map it: (N, width)."""
    with path.open("wb") as file:
        for key in keys:
            file.write(_get_entry(cache, key))
    return memory_mapped_rows(path, width)


def _get_entry(cache: FeatureCache, key: str) -> bytes:
    entry = cache.get(key)
    if entry is None:
        raise StoredTableMissing
    return entry
