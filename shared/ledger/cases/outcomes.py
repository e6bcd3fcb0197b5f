"""What cases turned out to be. Append-only: a correction is a new row, and the last one counts."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.outcomes import OutcomeSource
from shared.errors import NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.cases.repository import check_kept
from shared.ledger.datasets.pseudonyms import Pseudonyms
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import CaseRow, OutcomeRow


@dataclass(frozen=True)
class NewOutcome:
    """`patient` is the hospital's own number, of which only a keyed hash is kept."""

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
    """A hospital's own."""

    def __init__(
        self, session: Session, hospital: UUID, audit: AuditTrail, actor: str
    ) -> None:
        super().__init__(session, hospital)
        self._audit = audit
        self._actor = actor
        self._pseudonyms = Pseudonyms(session)

    def record(self, case_id: UUID, new: NewOutcome) -> Outcome:
        """Raises NotFound for a case that is not this hospital's, CaseErased. A patient named earlier stays named."""
        query = self._restrict_to_hospital(select(CaseRow), CaseRow).where(CaseRow.id == case_id)
        case = self._session.scalar(query.with_for_update(key_share=True))
        if case is None:
            raise NotFound(thing="case")
        check_kept(case)
        patient = self._pseudonyms.of(new.patient) or self._patient(case_id)
        told = vars(new) | {"patient": patient}
        row = OutcomeRow(
            case_id=case_id, hospital_id=self._hospital, actor=self._actor, **told
        )
        self._session.add(row)
        self._session.flush()
        self._audit.record(
            Event.OUTCOME_RECORDED, case=case_id, outcome=row.id, consent=new.consent
        )
        return as_outcome(row)

    def latest(self, case_id: UUID) -> Outcome | None:
        query = self._restrict_to_hospital(select(OutcomeRow), OutcomeRow).where(
            OutcomeRow.case_id == case_id
        )
        row = self._session.scalar(query.order_by(OutcomeRow.id.desc()).limit(1))
        return as_outcome(row) if row else None

    def _patient(self, case_id: UUID) -> str | None:
        earlier = self.latest(case_id)
        return earlier.patient if earlier else None


def as_outcome(row: OutcomeRow) -> Outcome:
    return Outcome(
        **{field.name: getattr(row, field.name) for field in fields(Outcome)}
    )
