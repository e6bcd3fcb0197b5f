"""A feature table kept for others who work on the same run, in pieces, so that nobody holds it whole in memory."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from shared.imaging.regions.crop import Framing
from shared.learning.errors import TableLost
from shared.learning.features.cache import FeatureCache
from shared.learning.features.extractors import Array
from shared.learning.features.table import FeatureTable, SkippedImage, memory_mapped_rows
from shared.learning.samples.sample import Sample

CHUNK_ROWS = 1024


@dataclass(frozen=True)
class StoredTable:
    """The key of a table; it names images, framing and extractors, so an entry never goes stale."""

    key: str

    @classmethod
    def store(cls, table: FeatureTable, keep: FeatureCache, framing: Framing) -> Self:
        keys = [sample.key for sample in table.samples]
        facts = [
            keys,
            [asdict(each) for each in table.skipped],
            table.digests,
            str(framing),
        ]
        key = f"tables/{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}"
        for place, numbers in enumerate(table.features):
            for piece, start in enumerate(range(0, len(numbers), CHUNK_ROWS)):
                keep.put(
                    f"{key}/{place}/{piece}",
                    numbers[start : start + CHUNK_ROWS].astype("<f4").tobytes(),
                )
        head = {
            "keys": keys,
            "skipped": [asdict(each) for each in table.skipped],
            "digests": table.digests,
            "widths": [numbers.shape[1] for numbers in table.features],
        }
        keep.put(f"{key}/head", json.dumps(head).encode())
        return cls(key)

    def restore(
        self, samples: Sequence[Sample], keep: FeatureCache, folder: Path
    ) -> FeatureTable:
        """The table of these samples, its numbers in files of `folder`; raises `TableLost`."""
        head = json.loads(self._piece(keep, f"{self.key}/head"))
        known = {sample.key: sample for sample in samples}
        pieces = -(-len(head["keys"]) // CHUNK_ROWS)
        return FeatureTable(
            samples=tuple(known[key] for key in head["keys"]),
            features=tuple(
                self._numbers(keep, folder, place, width, pieces)
                for place, width in enumerate(head["widths"])
            ),
            digests=tuple(head["digests"]),
            skipped=tuple(SkippedImage(**each) for each in head["skipped"]),
        )

    def _numbers(
        self, keep: FeatureCache, folder: Path, place: int, width: int, pieces: int
    ) -> Array:
        path = folder / f"{self.key.rpartition('/')[2][:16]}-{place}"
        with path.open("wb") as file:
            for piece in range(pieces):
                file.write(self._piece(keep, f"{self.key}/{place}/{piece}"))
        return memory_mapped_rows(path, width)

    def _piece(self, keep: FeatureCache, key: str) -> bytes:
        found = keep.get(key)
        if found is None:
            raise TableLost
        return found
