"""Exports the worklist as CSV for spreadsheets: read in many short transactions, with constant
memory.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

from shared.domain.audit.events import Event
from shared.domain.spreadsheets import spreadsheet_text
from shared.ledger import HospitalSession, Ledger
from shared.ledger.cases.worklist import PagePosition, WorklistEntry, WorklistFilter

BATCH_ROWS = 1000
BOM = "\ufeff"
"""Byte order mark, by which Excel recognises UTF-8."""
COLUMNS = {
    "case_id": "id of the case",
    "job_id": "id of the work on it",
    "external_id": "the hospital's own number",
    "batch": "the label it was sent with",
    "created_at": "when it was accepted, ISO 8601 in UTC",
    "size_mm": "largest diameter in mm",
    "state": "queued, running, done, failed or cancelled",
    "priority": "routine or urgent",
    "level": "suspicion level of the hospital's guideline, by the risk",
    "fna": "whether FNA is advised, true or false",
    "fna_advice": "due, consider, not-due or undecided",
    "risk": "calibrated risk of malignancy, 0 to 1",
    "risk_low": "lowest value of the risk by the interval of its uncertainty",
    "risk_high": "highest value of the risk by that interval",
    "decision": "above or below the model's cut-off, or refer; then the six before are empty",
    "model_cautions": "codes of the warnings about the model, separated by spaces",
    "warnings": "codes of the result's warnings, separated by spaces",
    "withheld": "whether its result is withheld from the person until their own level is stored",
    "reader_level": "the first level that a person entered before SERA's answer was shown to them",
    "reader_level_by": "who entered it",
    "reader_level_at": "and when, ISO 8601 in UTC",
    "malignant": "what the case turned out to be, true or false; empty while nobody said",
    "source": "how that became known",
    "determined_on": "and when, ISO 8601",
    "consent": "whether the image may be used for training",
    "attempts": "how often it was tried",
    "reason": "code of why it failed",
}


def export_rows(
    session: HospitalSession, ledger: Ledger, filters: WorklistFilter
) -> Iterator[str]:
    """Yield the file in parts, without cases that are accepted after the export began.

    The audit trail records the export with its number of rows. The request's transaction ends here.
    Each part is read in a separate transaction while the response is sent.
    """
    now = session.worklist.now()
    created_until = min(filters.created_until or now, now)
    filters = replace(filters, created_until=created_until)
    count = session.worklist.count_all(filters)
    session.audit.record(Event.CASES_EXPORTED, rows=count)
    session.transaction.commit()
    return _pieces(
        ledger,
        hospital_id=session.hospital_id,
        actor=session.actor,
        filters=filters,
    )


def _pieces(
    ledger: Ledger, *, hospital_id: UUID, actor: str, filters: WorklistFilter
) -> Iterator[str]:
    yield BOM + _rows([list(COLUMNS)])
    position: PagePosition | None = None
    while True:
        with ledger.hospital_session(hospital_id, actor) as session:
            entries = session.worklist.page(filters, position, BATCH_ROWS)
        for entry in entries:
            yield _rows([csv_cells(entry)])
        if len(entries) < BATCH_ROWS:
            return
        position = entries[-1].position(filters.order)


def _rows(rows: list[list[str]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def csv_cells(entry: WorklistEntry) -> list[str]:
    """The values of `COLUMNS` of one case."""
    return [_cell(_value(entry, name)) for name in COLUMNS]


def _value(entry: WorklistEntry, name: str) -> object:
    """The value of a column. A decision is worded as the side of the cut-off: a call of benign
    would contradict advice for FNA in the same row.
    """
    if name == "decision":
        return entry.cutoff_side or entry.decision
    if name in ("risk_low", "risk_high"):
        low, high = entry.risk_interval or (None, None)
        return low if name == "risk_low" else high
    if name == "withheld":
        return entry.is_withheld
    return getattr(entry, name)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    return spreadsheet_text(text) if isinstance(value, str) else text
