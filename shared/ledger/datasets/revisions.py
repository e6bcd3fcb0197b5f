"""A draft's revision: counted up with each change, under the dataset's lock, so that editors know what they change."""

from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.chain import chain_name
from shared.domain.audit.events import Event
from shared.ledger.edit_conflicts import ETags, check_tags
from shared.ledger.tables import AuditRow, DatasetRow


def lock_draft(session: Session, dataset: UUID, tags: ETags = None) -> None:
    """Until the transaction ends, nobody else changes or freezes this dataset; raises ChangedMeanwhile."""
    query = select(DatasetRow.name, DatasetRow.revision).where(DatasetRow.id == dataset)
    held = session.execute(query.with_for_update(key_share=True)).one_or_none()
    if held is not None:
        check_tags(tags, str(held.revision), lambda: _what(session, dataset, held, tags))


def increment_revision(session: Session, dataset: UUID) -> None:
    """The draft was changed."""
    session.execute(
        update(DatasetRow)
        .where(DatasetRow.id == dataset)
        .values(revision=DatasetRow.revision + 1)
    )


def _what(session: Session, dataset: UUID, held: Row[str, int], tags: ETags) -> str:
    since = [
        held.revision - int(tag)
        for tag in tags or ()
        if tag.isascii() and tag.isdigit()
    ]
    changes = [count for count in since if count > 0]
    if not changes:
        return f"This is no ETag of the draft of {held.name}."
    times = "once" if min(changes) == 1 else f"{min(changes)} times"
    return (
        f"The draft of {held.name} was changed {times} since{_last(session, dataset)}."
    )


def _last(session: Session, dataset: UUID) -> str:
    """Who changed it last, when and how, from the audit trail."""
    change = AuditRow.details["change"].as_string().label("change")
    these = AuditRow.chain == chain_name(None), AuditRow.event == Event.DATASET_CHANGED
    query = select(AuditRow.actor, AuditRow.at, change).where(
        *these, AuditRow.details["dataset"].as_string() == str(dataset)
    )
    last = session.execute(query.order_by(AuditRow.number.desc()).limit(1)).first()
    return (
        f", last by {last.actor} at {last.at:%H:%M:%S %Z} ({last.change})"
        if last
        else ""
    )
