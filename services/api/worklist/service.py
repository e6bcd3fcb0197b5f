"""Lists a hospital's cases. The audit trail records the shown results as read."""

import base64
import binascii
import json
from datetime import datetime
from uuid import UUID

from services.api.audit.read_audit import ReadAudit
from services.api.jobs.service import CursorInvalid
from services.api.worklist.schemas import (
    DeadLettersView,
    WorklistPageQuery,
    WorklistPage,
    dead_letters_view,
    worklist_row,
)
from shared.domain.audit.events import Event
from shared.ledger import HospitalSession
from shared.ledger.cases.worklist import MAX_COUNTED, WorklistEntry, Order, PagePosition
from shared.ledger.hospitals.repository import Caller


class WorklistService:
    def __init__(
        self, session: HospitalSession, caller: Caller, read_audit: ReadAudit
    ) -> None:
        self._session = session
        self._caller = caller
        self._read_audit = read_audit

    def page(self, question: WorklistPageQuery) -> WorklistPage:
        """Raises CursorInvalid."""
        asked = question.filters()
        limit = question.limit
        after = _place(question.cursor, asked.order)
        lines = self._session.worklist.page(asked, after, limit + 1)
        count = self._session.worklist.count(asked)
        shown = [
            (line.case_id, line.job_id)
            for line in lines[:limit]
            if line.risk is not None
        ]
        self._read_audit.record_reads(self._session, self._caller, Event.RESULT_READ, shown)
        return WorklistPage(
            cases=[worklist_row(line) for line in lines[:limit]],
            next_cursor=_cursor(lines[limit - 1], asked.order)
            if len(lines) > limit
            else None,
            total=min(count, MAX_COUNTED),
            more_than_total=count > MAX_COUNTED,
        )

    def dead_letters(self) -> list[DeadLettersView]:
        """This hospital's dead letters by reason, each with the sentence of one of them; most cases first."""
        return [
            dead_letters_view(of_reason) for of_reason in self._session.worklist.dead_letter_groups()
        ]


def _cursor(line: WorklistEntry, order: Order) -> str:
    value, job_id = line.position(order)
    told = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(
        json.dumps([order, told, str(job_id)]).encode()
    ).decode()


def _place(cursor: str | None, order: Order) -> PagePosition | None:
    """Where the page before ended; a cursor of another order is none of this list's."""
    if cursor is None:
        return None
    try:
        of, told, job_id = json.loads(base64.urlsafe_b64decode(cursor))
        place = (
            float(told) if order is Order.RISK else datetime.fromisoformat(told),
            UUID(job_id),
        )
    except (
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        binascii.Error,
    ) as error:
        raise CursorInvalid from error
    if of != order:
        raise CursorInvalid
    return place
