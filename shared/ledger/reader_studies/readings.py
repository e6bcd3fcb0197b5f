"""What the readers of a study are shown and what they say: once, in order, and nothing of it is changed."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.reader_studies import Phase, StudyState, reading_order
from shared.domain.results.result import Result
from shared.errors import Conflict, Forbidden, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.cases.repository import Case, check_not_erased
from shared.ledger.reader_studies.repository import StudyUnknown
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import (
    AuditRow,
    BlindingBreachRow,
    CaseRow,
    OutcomeRow,
    ReaderStudyCaseRow,
    ReaderStudyReaderRow,
    ReaderStudyRow,
    ReadingRow,
    ResultRow,
    ShowingRow,
)

ACCESS_EVENTS = (Event.CASE_READ, Event.RESULT_READ, Event.EXPLANATION_READ)
"""After which somebody knows more of a case than a blind reader may."""


class StudyNotOpen(Conflict):
    code = "reader-study-not-open"
    text = "The reader study is {state}. It can be read only while it is open; its administrator opens it."


class BlindFirst(Forbidden):
    code = "blind-first"
    text = "SERA's answer is shown after your own reading of this case is stored. Read it blind first."


class AlreadyRead(Conflict):
    code = "read-already"
    text = "Your {phase} reading of this case is stored, and it stays as it is. Go on with the next case."


class NotShown(Conflict):
    code = "not-shown"
    text = "This case was not put before you in this phase. Ask for the next case, and read that."


@dataclass(frozen=True)
class NewReading:
    """`seen_ms`, `hidden_ms`: by the reader's own clock, with the page in sight and out of it."""

    phase: Phase
    probability: int
    malignant: bool
    fna: bool | None = None
    seen_ms: int | None = None
    hidden_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Reading(NewReading):
    case_id: UUID
    reader: int
    shown_at: datetime
    sent_at: datetime
    showings: int

    @property
    def server_ms(self) -> int:
        """From when the case was first put before the reader to when the reading came, by the database's clock."""
        return round((self.sent_at - self.shown_at).total_seconds() * 1000)


@dataclass(frozen=True)
class StudyReader:
    """A reader at an open study, and the cases in this reader's order."""

    study: UUID
    person: UUID
    number: int
    order: tuple[UUID, ...]


@dataclass(frozen=True)
class StudyCase:
    """A kept case of a study: its reference and SERA's answer."""

    case_id: UUID
    job_id: UUID
    malignant: bool
    result: Result


class Readings(HospitalRepository):
    def __init__(self, session: Session, hospital: UUID, audit: AuditTrail) -> None:
        super().__init__(session, hospital)
        self._audit = audit

    def find_reader(self, study: UUID, person: UUID | None) -> StudyReader:
        """Raises StudyUnknown for who is no reader of it, StudyNotOpen."""
        query = select(
            ReaderStudyRow.state, ReaderStudyRow.seed, ReaderStudyReaderRow.number
        )
        query = query.join(
            ReaderStudyReaderRow, ReaderStudyReaderRow.study_id == ReaderStudyRow.id
        )
        mine = (ReaderStudyRow.id == study, ReaderStudyReaderRow.person_id == person)
        row = self._session.execute(
            self._restrict_to_hospital(query, ReaderStudyRow)
            .where(*mine)
            .with_for_update(read=True, key_share=True, of=ReaderStudyRow)
        ).first()
        if row is None or person is None or row.state == StudyState.DRAFT:
            raise StudyUnknown
        if row.state != StudyState.OPEN:
            raise StudyNotOpen(state=row.state)
        order = reading_order(self._cases(study), row.seed, row.number)
        return StudyReader(study, person, row.number, tuple(order))

    def of_reader(self, seat: StudyReader) -> dict[tuple[UUID, Phase], Reading]:
        """This reader's own."""
        query = self._query().where(
            ReadingRow.study_id == seat.study, ReadingRow.person_id == seat.person
        )
        return {
            (each.case_id, each.phase): each
            for each in map(_reading, self._session.execute(query))
        }

    def record_showing(self, seat: StudyReader, case: UUID, phase: Phase) -> None:
        """Note that the case is put before the reader now."""
        place = {
            "study_id": seat.study,
            "case_id": case,
            "person_id": seat.person,
            "phase": phase,
        }
        first = self._shown(seat, case, phase)[1] == 0
        self._session.add(ShowingRow(hospital_id=self._hospital, **place))
        self._session.flush()
        if first:
            self._audit.record(
                Event.READER_STUDY_SHOWN, case=case, study=str(seat.study), phase=phase
            )

    def case(self, seat: StudyReader, case: UUID) -> Case:
        """A case of the study, for the reader's eyes. Raises NotFound, CaseErased."""
        query = self._restrict_to_hospital(select(CaseRow), CaseRow).where(
            CaseRow.id == case, CaseRow.id.in_(self._ids(seat.study))
        )
        row = self._session.scalar(query)
        if row is None:
            raise NotFound(thing="case")
        check_not_erased(row)
        return Case(**{name: getattr(row, name) for name in Case.__dataclass_fields__})

    def answer(self, seat: StudyReader, case: UUID) -> StudyCase:
        """What SERA said. Raises BlindFirst until the reader's own reading is stored."""
        if (case, Phase.BLIND) not in self.of_reader(seat):
            raise BlindFirst
        return next(each for each in self.study_cases(seat.study) if each.case_id == case)

    def store(self, seat: StudyReader, case: UUID, new: NewReading) -> Reading:
        """Raises BlindFirst, ReadAlready, NotShown."""
        known = self.of_reader(seat)
        if (case, new.phase) in known:
            raise AlreadyRead(phase=new.phase)
        if new.phase is Phase.AIDED and (case, Phase.BLIND) not in known:
            raise BlindFirst
        shown_at, showings = self._shown(seat, case, new.phase)
        if not showings:
            raise NotShown
        place = {
            "study_id": seat.study,
            "case_id": case,
            "person_id": seat.person,
            "hospital_id": self._hospital,
        }
        told = {
            **vars(new),
            **place,
            "shown_at": shown_at,
            "showings": showings,
            "sent_at": func.clock_timestamp(),
        }
        try:
            with self._session.begin_nested():
                self._session.execute(insert(ReadingRow).values(told))
        except IntegrityError as twice:
            raise AlreadyRead(phase=new.phase) from twice
        self._audit.record(
            Event.READER_STUDY_READ, case=case, study=str(seat.study), phase=new.phase
        )
        return self.of_reader(seat)[case, new.phase]

    def all(self, study: UUID) -> list[Reading]:
        """Every reading of kept cases, in the order in which they came."""
        query = (
            self._query().where(ReadingRow.study_id == study).order_by(ReadingRow.id)
        )
        return [_reading(row) for row in self._session.execute(query)]

    def study_cases(self, study: UUID) -> list[StudyCase]:
        """The kept cases by id, with what they turned out to be by the last word on it."""
        own = select(OutcomeRow.malignant).where(
            OutcomeRow.case_id == ReaderStudyCaseRow.case_id
        )
        last = own.order_by(OutcomeRow.id.desc()).limit(1).lateral()
        query = select(
            ReaderStudyCaseRow.case_id,
            ReaderStudyCaseRow.job_id,
            last.c.malignant,
            ResultRow.body,
        )
        query = query.join(
            ResultRow, ResultRow.job_id == ReaderStudyCaseRow.job_id
        ).join(last, true())
        query = self._restrict_to_hospital(query, ReaderStudyCaseRow).where(
            ReaderStudyCaseRow.study_id == study
        )
        ordered = query.order_by(ReaderStudyCaseRow.case_id, ResultRow.created_at)
        rows = self._session.execute(ordered)
        studied = {
            case_id: StudyCase(case_id, job_id, malignant, Result.from_json(body))
            for case_id, job_id, malignant, body in rows
        }
        return list(studied.values())

    def record_breaches(
        self, person: UUID | None, event: Event, cases: Sequence[UUID]
    ) -> None:
        """A breach in every open study in which this person has one of the cases still to read blind."""
        if person is None or event not in ACCESS_EVENTS or not cases:
            return
        blind = select(ReadingRow.id).where(
            ReadingRow.study_id == ReaderStudyCaseRow.study_id,
            ReadingRow.case_id == ReaderStudyCaseRow.case_id,
            ReadingRow.person_id == person,
        )
        query = select(ReaderStudyCaseRow.study_id, ReaderStudyCaseRow.case_id)
        query = query.join(
            ReaderStudyRow, ReaderStudyRow.id == ReaderStudyCaseRow.study_id
        )
        query = query.join(
            ReaderStudyReaderRow, ReaderStudyReaderRow.study_id == ReaderStudyRow.id
        )
        query = query.where(
            ReaderStudyReaderRow.person_id == person,
            ReaderStudyRow.state == StudyState.OPEN,
        )
        query = query.where(ReaderStudyCaseRow.case_id.in_(cases), ~blind.exists())
        for row in self._session.execute(self._restrict_to_hospital(query, ReaderStudyCaseRow)).all():
            self._breach(row.study_id, row.case_id, person, event)

    def breaches(self, study: UUID) -> set[tuple[int, UUID]]:
        """(reader's number, case) of what was looked at elsewhere, in the open study, before the blind reading."""
        query = select(ReaderStudyReaderRow.number, BlindingBreachRow.case_id).join(
            ReaderStudyReaderRow,
            (ReaderStudyReaderRow.study_id == BlindingBreachRow.study_id)
            & (ReaderStudyReaderRow.person_id == BlindingBreachRow.person_id),
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, BlindingBreachRow).where(BlindingBreachRow.study_id == study)
        )
        return {(number, case) for number, case in rows}

    def previously_seen(self, study: UUID) -> set[tuple[int, UUID]]:
        """(reader's number, case) of what a reader had looked at before the study was opened, by the audit trail."""
        actor = func.concat("person:", ReaderStudyReaderRow.person_id)
        query = select(ReaderStudyReaderRow.number, AuditRow.case_id).join(
            AuditRow, AuditRow.actor == actor
        )
        query = query.join(
            ReaderStudyRow, ReaderStudyRow.id == ReaderStudyReaderRow.study_id
        )
        query = query.where(ReaderStudyRow.id == study, AuditRow.event.in_(ACCESS_EVENTS))
        query = query.where(
            AuditRow.case_id.in_(self._ids(study)),
            AuditRow.at < ReaderStudyRow.opened_at,
        )
        return {
            (number, case)
            for number, case in self._session.execute(
                self._restrict_to_hospital(query, ReaderStudyReaderRow)
            )
            if case is not None
        }

    def _breach(self, study: UUID, case: UUID, person: UUID, event: Event) -> None:
        place = {"study_id": study, "case_id": case, "person_id": person, "what": event}
        new = (
            insert(BlindingBreachRow)
            .values(hospital_id=self._hospital, **place)
            .on_conflict_do_nothing()
        )
        if self._session.scalar(new.returning(BlindingBreachRow.case_id)) is not None:
            self._audit.record(
                Event.READER_STUDY_BREACHED, case=case, study=str(study), why=event
            )

    def _shown(
        self, seat: StudyReader, case: UUID, phase: Phase
    ) -> tuple[datetime | None, int]:
        mine = (ShowingRow.study_id == seat.study, ShowingRow.person_id == seat.person)
        query = self._restrict_to_hospital(select(func.min(ShowingRow.at), func.count()), ShowingRow)
        query = query.where(
            *mine, ShowingRow.case_id == case, ShowingRow.phase == phase
        )
        first, count = self._session.execute(query).one()
        return first, count

    def _cases(self, study: UUID) -> list[UUID]:
        query = self._restrict_to_hospital(select(CaseRow.id), CaseRow).where(
            CaseRow.id.in_(self._ids(study))
        )
        return list(self._session.scalars(query.where(CaseRow.erased_at.is_(None))))

    def _ids(self, study: UUID) -> Any:
        return select(ReaderStudyCaseRow.case_id).where(
            ReaderStudyCaseRow.study_id == study
        )

    def _query(self) -> Any:
        names = [
            getattr(ReadingRow, name.name)
            for name in fields(Reading)
            if name.name != "reader"
        ]
        query = select(*names, ReaderStudyReaderRow.number.label("reader")).join(
            ReaderStudyReaderRow,
            (ReaderStudyReaderRow.study_id == ReadingRow.study_id)
            & (ReaderStudyReaderRow.person_id == ReadingRow.person_id),
        )
        return self._restrict_to_hospital(query, ReadingRow)


def _reading(row: Any) -> Reading:
    return Reading(**{**row._mapping, "phase": Phase(row.phase)})
