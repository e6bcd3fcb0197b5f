"""Maps the hash of a file to the hash of its cleaned copy.

A client knows only its own file. With this map the system recognises that file.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, union
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.tables import CleanedFileRow, DatasetImageRow, VersionImageRow

HASH_COLUMNS = (
    DatasetImageRow.image_sha256,
    DatasetImageRow.mask_sha256,
    VersionImageRow.image_sha256,
    VersionImageRow.mask_sha256,
)


@dataclass(frozen=True)
class CleanedFileHashes:
    """A file's hash as it was sent and as it is stored; they differ if cleaning removed data."""

    source_sha256: str
    stored_sha256: str
    removed: dict[str, int] = field(default_factory=dict)


class CleanedFiles:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def record(self, dataset: UUID, files: Iterable[CleanedFileHashes]) -> None:
        """Store the files that cleaning changed. A file that is stored already keeps its row."""
        rows = {
            file.source_sha256: vars(file)
            for file in files
            if file.source_sha256 != file.stored_sha256
        }
        if not rows:
            return
        statement = (
            insert(CleanedFileRow)
            .values(list(rows.values()))
            .on_conflict_do_nothing()
            .returning(CleanedFileRow.source_sha256)
        )
        new_hashes = set(self._session.scalars(statement))
        removed: Counter[str] = Counter()
        for source_sha256 in new_hashes:
            removed.update(rows[source_sha256]["removed"])
        if new_hashes:
            self._audit.record(
                Event.DATASET_CHANGED,
                dataset=str(dataset),
                change="cleaned",
                files=len(new_hashes),
                removed=dict(removed),
            )

    def dataset_hashes(self, hashes: Collection[str]) -> dict[str, str]:
        """Map the hash of each sent file to its hash in datasets.

        An image that a dataset holds under the sent hash keeps it: it was added before files were
        cleaned, and versions refer to it by that hash.
        """
        query = select(
            CleanedFileRow.source_sha256, CleanedFileRow.stored_sha256
        ).where(CleanedFileRow.source_sha256.in_(hashes))
        cleaned = dict(self._session.execute(query).all())
        uncleaned = self._hashes_in_datasets(hashes)
        return {
            sha256: sha256 if sha256 in uncleaned else cleaned.get(sha256, sha256)
            for sha256 in hashes
        }

    def _hashes_in_datasets(self, hashes: Collection[str]) -> set[str]:
        queries = [select(column).where(column.in_(hashes)) for column in HASH_COLUMNS]
        return set(self._session.scalars(union(*queries)))
