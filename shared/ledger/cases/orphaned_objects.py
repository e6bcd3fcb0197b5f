"""Objects that erasures let go of: removed from the store where nothing else refers to them.

An image may belong to other cases, of any hospital, and to data sets, and the same bytes may be on their way in at this
very moment. So whoever adds a reference holds the object until that is committed, and the object is removed under a
lock that excludes the holders. The list outlives a crash between the erasure and the removal, which is done again then.
"""

from collections.abc import Collection

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    String,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from shared.ledger.tables import (
    CaseRow,
    DatasetImageRow,
    ExplanationMapRow,
    ExplanationRow,
    OrphanedObjectRow,
    VersionImageRow,
)

WAITING = OrphanedObjectRow.removed_at.is_(None)
LOCK = text(
    "SELECT pg_try_advisory_xact_lock(hashtextextended('sera-object/' || left(:hash, 2), 0))"
)


class OrphanedObjects:
    def __init__(self, session: Session) -> None:
        self._session = session

    def hold(self, hashes: Collection[str]) -> set[str]:
        """Keep these objects from being removed until the transaction ends, for one that adds a reference to them.

        Returns those that an erasure had let go of. They are no orphans any more, but may be gone from the store.
        """
        asked = bindparam(None, sorted(hashes), ARRAY(String))
        return set(self._session.scalars(select(func.sera_hold_objects(asked))))

    def waiting(self, limit: int) -> list[str]:
        """Those still to be looked at, oldest first."""
        query = (
            select(OrphanedObjectRow.sha256)
            .where(WAITING)
            .order_by(OrphanedObjectRow.since)
            .limit(limit)
        )
        return list(self._session.scalars(query))

    def count(self) -> int:
        return self._session.scalars(
            select(func.count()).select_from(OrphanedObjectRow).where(WAITING)
        ).one()

    def claim(self, sha256: str) -> bool:
        """Whether the object is to be removed, in this transaction; nobody can begin to refer to it meanwhile.

        False where it is held or another process is at it, and where something refers to it: then it is struck off.
        """
        if not self._session.scalar(LOCK, {"hash": sha256}):
            return False
        query = select(OrphanedObjectRow).where(OrphanedObjectRow.sha256 == sha256, WAITING)
        row = self._session.scalar(query.with_for_update(skip_locked=True))
        if row is None:
            return False
        if self._referred_to(sha256):
            self._session.delete(row)
            return False
        return True

    def mark_removed(self, sha256: str) -> None:
        gone = update(OrphanedObjectRow).where(OrphanedObjectRow.sha256 == sha256)
        self._session.execute(gone.values(removed_at=func.clock_timestamp()))

    def _referred_to(self, sha256: str) -> bool:
        """By a case that is kept, or by a data set's row that did not come in as an erased one."""
        kept = exists().where(
            CaseRow.image_sha256 == sha256, CaseRow.erased_at.is_(None)
        )
        shown = exists().where(ExplanationRow.png_sha256 == sha256)
        layered = exists().where(ExplanationMapRow.heat_sha256 == sha256)
        labelled = (
            _labelled(table, sha256) for table in (DatasetImageRow, VersionImageRow)
        )
        return self._session.scalars(select(or_(kept, shown, layered, *labelled))).one()


def _labelled(
    table: type[DatasetImageRow | VersionImageRow], sha256: str
) -> ColumnElement[bool]:
    erased = exists().where(CaseRow.id == table.case_id, CaseRow.erased_at.is_not(None))
    return exists().where(
        or_(table.image_sha256 == sha256, table.mask_sha256 == sha256), ~erased
    )
