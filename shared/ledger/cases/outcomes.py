"""Outcomes: the final diagnoses of cases.

The table is append-only: a correction is a new row, and the latest row of a case counts.
"""

from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.outcomes import OutcomeSource
from shared.errors import NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.cases.repository import check_not_erased
from shared.ledger.datasets.pseudonyms import Pseudonyms
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import CaseRow, OutcomeRow


@dataclass(frozen=True)
class NewOutcome:
    """`patient` is the hospital's own number for the patient; only its keyed hash is stored."""

    malignant: bool
    source: OutcomeSource
    determined_on: date | None = None
    patient: str | None = None
    consent: bool = False


@dataclass(frozen=True)
class Outcome:
    """`patient` is a pseudonym."""

    id: int
    malignant: bool
    source: OutcomeSource
    determined_on: date | None
    patient: str | None
    consent: bool
    recorded_at: datetime


class Outcomes(HospitalRepository):
    """A hospital's own outcomes."""

    def __init__(
        self, session: Session, hospital: UUID, audit: AuditTrail, actor: str
    ) -> None:
        super().__init__(session, hospital)
        self._audit = audit
        self._actor = actor
        self._pseudonyms = Pseudonyms(session)

    def record(self, case_id: UUID, new: NewOutcome) -> Outcome:
        """Add an outcome. If it names no patient, it keeps the patient of the latest outcome.

        Raises NotFound if the case does not belong to this hospital, and CaseErased.
        """
        query = select(CaseRow).where(CaseRow.id == case_id)
        query = self._restrict_to_hospital(query, CaseRow)
        case = self._session.scalar(query.with_for_update(key_share=True))
        if case is None:
            raise NotFound(thing="case")
        check_not_erased(case)
        patient = self._pseudonyms.pseudonymise(new.patient)
        row = OutcomeRow(
            case_id=case_id,
            hospital_id=self._hospital,
            malignant=new.malignant,
            source=new.source,
            determined_on=new.determined_on,
            patient=patient or self._last_patient(case_id),
            consent=new.consent,
            actor=self._actor,
        )
        self._session.add(row)
        self._session.flush()
        self._audit.record(
            Event.OUTCOME_RECORDED, case=case_id, outcome=row.id, consent=new.consent
        )
        return outcome_from_row(row)

    def latest(self, case_id: UUID) -> Outcome | None:
        query = select(OutcomeRow).where(OutcomeRow.case_id == case_id)
        query = self._restrict_to_hospital(query, OutcomeRow)
        row = self._session.scalar(query.order_by(OutcomeRow.id.desc()).limit(1))
        return outcome_from_row(row) if row else None

    def _last_patient(self, case_id: UUID) -> str | None:
        latest = self.latest(case_id)
        return latest.patient if latest else None


def outcome_from_row(row: OutcomeRow) -> Outcome:
    values = {field.name: getattr(row, field.name) for field in fields(Outcome)}
    return Outcome(**values)
