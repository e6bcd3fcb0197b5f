"""Under which hash the cleaned copy of a file lies, so that a client that knows only its own file is understood."""

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


@dataclass(frozen=True)
class CleanedFile:
    """A file by the hash it came under and the one it was stored under; they differ where something was removed."""

    source_sha256: str
    stored_sha256: str
    removed: dict[str, int] = field(default_factory=dict)


class CleanedFiles:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def record(self, dataset: UUID, cleanings: Iterable[CleanedFile]) -> None:
        """Remember what was changed by cleaning; of a file that is known the first word stands."""
        rows = {
            each.source_sha256: vars(each)
            for each in cleanings
            if each.source_sha256 != each.stored_sha256
        }
        if not rows:
            return
        kept = insert(CleanedFileRow).values(list(rows.values())).on_conflict_do_nothing()
        new = set(self._session.scalars(kept.returning(CleanedFileRow.source_sha256)))
        removed = sum(
            (Counter(row["removed"]) for source, row in rows.items() if source in new),
            Counter(),
        )
        if new:
            self._audit.record(
                Event.DATASET_CHANGED,
                dataset=str(dataset),
                change="cleaned",
                files=len(new),
                removed=dict(removed),
            )

    def dataset_hashes(self, hashes: Collection[str]) -> dict[str, str]:
        """The hash that each file goes by in datasets.

        One that is held under the very hash keeps it: it came before files were cleaned, and versions know it so.
        """
        query = select(CleanedFileRow.source_sha256, CleanedFileRow.stored_sha256)
        known = dict(
            self._session.execute(
                query.where(CleanedFileRow.source_sha256.in_(hashes))
            ).all()
        )
        as_came = self._held(hashes)
        return {
            each: each if each in as_came else known.get(each, each) for each in hashes
        }

    def _held(self, hashes: Collection[str]) -> set[str]:
        columns = (
            column
            for table in (DatasetImageRow, VersionImageRow)
            for column in (table.image_sha256, table.mask_sha256)
        )
        return set(
            self._session.scalars(
                union(*(select(column).where(column.in_(hashes)) for column in columns))
            )
        )
