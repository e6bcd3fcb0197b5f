"""The revision of a draft, which detects that two editors change it at the same time.

Each change increments the revision under the dataset's lock.
"""

from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.chain import chain_name
from shared.domain.audit.events import Event
from shared.ledger.edit_conflicts import ETags, check_tags
from shared.ledger.tables import AuditRow, DatasetRow


def lock_draft(session: Session, dataset: UUID, tags: ETags = None) -> None:
    """Lock the dataset until the transaction ends: nobody else can change or freeze it.

    Raises EditConflict.
    """
    query = select(DatasetRow.name, DatasetRow.revision).where(DatasetRow.id == dataset)
    row = session.execute(query.with_for_update(key_share=True)).one_or_none()
    if row is not None:
        check_tags(
            tags,
            str(row.revision),
            lambda: _describe_conflict(
                session=session, dataset=dataset, row=row, tags=tags
            ),
        )


def increment_revision(session: Session, dataset: UUID) -> None:
    """Note that the draft was changed."""
    session.execute(
        update(DatasetRow)
        .where(DatasetRow.id == dataset)
        .values(revision=DatasetRow.revision + 1)
    )


def _describe_conflict(
    session: Session, dataset: UUID, row: Row[str, int], tags: ETags
) -> str:
    revisions = [int(tag) for tag in tags or () if tag.isascii() and tag.isdigit()]
    earlier_revisions = [revision for revision in revisions if revision < row.revision]
    if not earlier_revisions:
        return f"This is no ETag of the draft of {row.name}."
    changes = row.revision - max(earlier_revisions)
    times = "once" if changes == 1 else f"{changes} times"
    last_change = _describe_last_change(session, dataset)
    return f"The draft of {row.name} was changed {times} since{last_change}."


def _describe_last_change(session: Session, dataset: UUID) -> str:
    """The actor, time and kind of the last change, from the audit trail."""
    change = AuditRow.details["change"].as_string().label("change")
    query = (
        select(AuditRow.actor, AuditRow.at, change)
        .where(
            AuditRow.chain == chain_name(None),
            AuditRow.event == Event.DATASET_CHANGED,
            AuditRow.details["dataset"].as_string() == str(dataset),
        )
        .order_by(AuditRow.number.desc())
        .limit(1)
    )
    row = session.execute(query).first()
    if row is None:
        return ""
    return f", last by {row.actor} at {row.at:%H:%M:%S %Z} ({row.change})"
