"""Finds and locks objects that erasures released, so that unreferenced ones can be removed.

An image may belong to other cases, of any hospital, and to datasets. The same bytes may also be
uploaded again at this moment. Therefore a transaction that adds a reference locks the object until
its commit, and a removal needs an exclusive lock of the object. The list is stored in the database,
so that a removal is repeated after a crash.
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
    PreviewRow,
    VersionImageRow,
)

IS_WAITING = OrphanedObjectRow.removed_at.is_(None)
TRY_LOCK = text(
    "SELECT pg_try_advisory_xact_lock(hashtextextended('sera-object/' || left(:hash, 2), 0))"
)


class OrphanedObjects:
    def __init__(self, session: Session) -> None:
        self._session = session

    def hold(self, hashes: Collection[str]) -> set[str]:
        """Protect objects from removal until the transaction ends, which adds references to them.

        Returns the objects that an erasure had released. They are no longer orphaned, but the
        store may have removed them already.
        """
        sorted_hashes = bindparam(None, sorted(hashes), ARRAY(String))
        query = select(func.sera_hold_objects(sorted_hashes))
        return set(self._session.scalars(query))

    def waiting(self, limit: int) -> list[str]:
        """The released objects that were not examined yet, oldest first."""
        query = (
            select(OrphanedObjectRow.sha256)
            .where(IS_WAITING)
            .order_by(OrphanedObjectRow.since)
            .limit(limit)
        )
        return list(self._session.scalars(query))

    def count(self) -> int:
        """Count the released objects that were not examined yet."""
        query = select(func.count()).select_from(OrphanedObjectRow).where(IS_WAITING)
        return self._session.scalars(query).one()

    def claim(self, sha256: str) -> bool:
        """Lock an object for its removal; True if this transaction must remove it.

        While the lock is held, no new reference can be added.

        Returns False if another transaction has locked the object. Returns False also if a row
        refers to it; the object is then removed from the list of orphans.
        """
        if not self._session.scalar(TRY_LOCK, {"hash": sha256}):
            return False
        query = select(OrphanedObjectRow).where(
            OrphanedObjectRow.sha256 == sha256, IS_WAITING
        )
        row = self._session.scalar(query.with_for_update(skip_locked=True))
        if row is None:
            return False
        if self._is_referenced(sha256):
            self._session.delete(row)
            return False
        return True

    def mark_removed(self, sha256: str) -> None:
        statement = (
            update(OrphanedObjectRow)
            .where(OrphanedObjectRow.sha256 == sha256)
            .values(removed_at=func.clock_timestamp())
        )
        self._session.execute(statement)

    def _is_referenced(self, sha256: str) -> bool:
        """Whether an unerased case, an explanation, a preview or a dataset's row refers to it.

        A dataset's row that came from an erased case does not count.
        """
        in_case = exists().where(
            CaseRow.image_sha256 == sha256, CaseRow.erased_at.is_(None)
        )
        in_explanation = exists().where(ExplanationRow.png_sha256 == sha256)
        in_explanation_map = exists().where(ExplanationMapRow.heat_sha256 == sha256)
        in_preview = exists().where(PreviewRow.image_sha256 == sha256)
        in_draft = _is_labelled(DatasetImageRow, sha256)
        in_version = _is_labelled(VersionImageRow, sha256)
        is_referenced = or_(
            in_case,
            in_explanation,
            in_explanation_map,
            in_preview,
            in_draft,
            in_version,
        )
        return self._session.scalars(select(is_referenced)).one()


def _is_labelled(
    table: type[DatasetImageRow | VersionImageRow], sha256: str
) -> ColumnElement[bool]:
    is_erased = exists().where(
        CaseRow.id == table.case_id, CaseRow.erased_at.is_not(None)
    )
    is_object = or_(table.image_sha256 == sha256, table.mask_sha256 == sha256)
    return exists().where(is_object, ~is_erased)
