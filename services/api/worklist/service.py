"""Lists a hospital's cases. The audit trail records the shown results as read."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.api.audit.read_audit import ReadAudit
from services.api.jobs.service import CursorInvalid
from services.api.moments import parse_moment
from services.api.worklist.schemas import (
    DeadLettersView,
    WorklistPage,
    WorklistPageQuery,
    dead_letters_view,
    worklist_row,
)
from shared.domain.audit.events import Event
from shared.ledger import HospitalSession
from shared.ledger.cases.worklist import MAX_COUNTED, Order, PagePosition, WorklistEntry
from shared.ledger.hospitals.repository import Caller


class WorklistService:
    def __init__(
        self, session: HospitalSession, caller: Caller, read_audit: ReadAudit
    ) -> None:
        self._session = session
        self._caller = caller
        self._read_audit = read_audit

    def page(self, query: WorklistPageQuery) -> WorklistPage:
        """Raises CursorInvalid."""
        filters = replace(query.filters(), person=self._caller.person)
        position = _position(query.cursor, filters.order)
        entries = self._session.worklist.page(filters, position, query.limit + 1)
        count = self._session.worklist.count(filters)
        page_entries = entries[: query.limit]
        self._record_reads(page_entries)
        next_cursor = None
        if len(entries) > query.limit:
            next_cursor = _cursor(page_entries[-1], filters.order)
        return WorklistPage(
            cases=[worklist_row(entry) for entry in page_entries],
            next_cursor=next_cursor,
            total=min(count, MAX_COUNTED),
            more_than_total=count > MAX_COUNTED,
        )

    def dead_letters(self) -> list[DeadLettersView]:
        """Return the hospital's dead letters by reason, most cases first. Each reason has the
        sentence of one of its cases.
        """
        groups = self._session.worklist.dead_letter_groups()
        return [dead_letters_view(group) for group in groups]

    def _record_reads(self, entries: Sequence[WorklistEntry]) -> None:
        """Record the entries that show a result."""
        results = [
            (entry.case_id, entry.job_id)
            for entry in entries
            if entry.decision is not None
        ]
        self._read_audit.record_reads(
            session=self._session,
            caller=self._caller,
            event=Event.RESULT_READ,
            subjects=results,
        )


def _cursor(entry: WorklistEntry, order: Order) -> str:
    sort_value, job_id = entry.position(order)
    if isinstance(sort_value, datetime):
        text = json.dumps([order, sort_value.isoformat(), str(job_id)])
    else:
        text = json.dumps([order, sort_value, str(job_id)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _position(cursor: str | None, order: Order) -> PagePosition | None:
    """Return the end of the previous page. Raises CursorInvalid if the cursor is broken or belongs
    to another order.
    """
    if cursor is None:
        return None
    try:
        cursor_order, sort_value, job_id = json.loads(base64.urlsafe_b64decode(cursor))
        if order is Order.RISK:
            position: PagePosition = (float(sort_value), UUID(job_id))
        else:
            position = (parse_moment(sort_value), UUID(job_id))
    except (
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        binascii.Error,
    ) as error:
        raise CursorInvalid from error
    if cursor_order != order:
        raise CursorInvalid
    return position
