"""Readings of a study: each reader reads each case once per phase, in order.

No reading is ever changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.reader_studies import Phase, StudyState, reading_order
from shared.domain.results.result import Result
from shared.errors import Conflict, Forbidden, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.cases.repository import Case, case_from_row
from shared.ledger.reader_studies.repository import StudyUnknown
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import (
    AnyRow,
    AnySelect,
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
"""Events that show a person more of a case than a blind reader may see."""


class StudyNotOpen(Conflict):
    code = "reader-study-not-open"
    text = (
        "The reader study is {state}. It can be read only while it is open; its administrator "
        "opens it."
    )


class BlindReadingMissing(Forbidden):
    code = "blind-first"
    text = (
        "SERA's answer is shown after your own reading of this case is stored. Read it blind "
        "first."
    )


class CaseAlreadyRead(Conflict):
    code = "read-already"
    text = (
        "Your {phase} reading of this case is stored, and it stays as it is. Go on with the next "
        "case."
    )


class CaseNotShown(Conflict):
    code = "not-shown"
    text = "This case was not put before you in this phase. Ask for the next case, and read that."


@dataclass(frozen=True)
class NewReading:
    """`seen_ms` and `hidden_ms` are times with the page in sight and hidden, by the browser."""

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
        """Time from the first showing of the case to the reading, by the database's clock."""
        return round((self.sent_at - self.shown_at).total_seconds() * 1000)


@dataclass(frozen=True)
class StudyReader:
    """A reader of an open study, and the cases in this reader's order."""

    study: UUID
    person: UUID
    number: int
    order: tuple[UUID, ...]


@dataclass(frozen=True)
class StudyCase:
    """An unerased case of a study, with its outcome and SERA's result."""

    case_id: UUID
    job_id: UUID
    malignant: bool
    result: Result


class Readings(HospitalRepository):
    def __init__(self, session: Session, hospital: UUID, audit: AuditTrail) -> None:
        super().__init__(session, hospital)
        self._audit = audit

    def find_reader(self, study: UUID, person: UUID | None) -> StudyReader:
        """Raises StudyUnknown if the person is not a reader of the study, and StudyNotOpen."""
        query = (
            select(
                ReaderStudyRow.state, ReaderStudyRow.seed, ReaderStudyReaderRow.number
            )
            .join(
                ReaderStudyReaderRow, ReaderStudyReaderRow.study_id == ReaderStudyRow.id
            )
            .where(ReaderStudyRow.id == study, ReaderStudyReaderRow.person_id == person)
            .with_for_update(read=True, key_share=True, of=ReaderStudyRow)
        )
        query = self._restrict_to_hospital(query, ReaderStudyRow)
        row = self._session.execute(query).first()
        if row is None or person is None or row.state == StudyState.DRAFT:
            raise StudyUnknown
        if row.state != StudyState.OPEN:
            raise StudyNotOpen(state=row.state)
        order = reading_order(self._unerased_cases(study), row.seed, row.number)
        return StudyReader(
            study=study, person=person, number=row.number, order=tuple(order)
        )

    def of_reader(self, reader: StudyReader) -> dict[tuple[UUID, Phase], Reading]:
        """The own readings of a reader, by case and phase."""
        query = self._select_readings().where(
            ReadingRow.study_id == reader.study, ReadingRow.person_id == reader.person
        )
        readings = [_reading(row) for row in self._session.execute(query)]
        return {(reading.case_id, reading.phase): reading for reading in readings}

    def record_showing(self, reader: StudyReader, case: UUID, phase: Phase) -> None:
        """Record that the reader is shown the case now. The first showing is an audit event."""
        _, earlier_showings = self._showings(reader=reader, case=case, phase=phase)
        row = ShowingRow(
            hospital_id=self._hospital,
            study_id=reader.study,
            case_id=case,
            person_id=reader.person,
            phase=phase,
        )
        self._session.add(row)
        self._session.flush()
        if earlier_showings == 0:
            self._audit.record(
                Event.READER_STUDY_SHOWN,
                case=case,
                study=str(reader.study),
                phase=phase,
            )

    def case(self, reader: StudyReader, case: UUID) -> Case:
        """A case of the reader's study. Raises NotFound, CaseErased."""
        query = select(CaseRow).where(
            CaseRow.id == case, CaseRow.id.in_(_select_case_ids(reader.study))
        )
        row = self._session.scalar(self._restrict_to_hospital(query, CaseRow))
        if row is None:
            raise NotFound(thing="case")
        return case_from_row(row)

    def sera_result(self, reader: StudyReader, case: UUID) -> StudyCase:
        """Return SERA's result.

        Raises BlindReadingMissing until the reader's own reading is stored.
        """
        if (case, Phase.BLIND) not in self.of_reader(reader):
            raise BlindReadingMissing
        study_cases = self.study_cases(reader.study)
        return next(
            study_case for study_case in study_cases if study_case.case_id == case
        )

    def store(self, reader: StudyReader, case: UUID, new: NewReading) -> Reading:
        """Raises BlindReadingMissing, CaseAlreadyRead, CaseNotShown."""
        readings = self.of_reader(reader)
        if (case, new.phase) in readings:
            raise CaseAlreadyRead(phase=new.phase)
        if new.phase is Phase.AIDED and (case, Phase.BLIND) not in readings:
            raise BlindReadingMissing
        shown_at, showings = self._showings(reader=reader, case=case, phase=new.phase)
        if not showings:
            raise CaseNotShown
        statement = insert(ReadingRow).values(
            **vars(new),
            study_id=reader.study,
            case_id=case,
            person_id=reader.person,
            hospital_id=self._hospital,
            shown_at=shown_at,
            showings=showings,
            sent_at=func.clock_timestamp(),
        )
        try:
            with self._session.begin_nested():
                self._session.execute(statement)
        except IntegrityError as error:
            raise CaseAlreadyRead(phase=new.phase) from error
        self._audit.record(
            Event.READER_STUDY_READ,
            case=case,
            study=str(reader.study),
            phase=new.phase,
        )
        return self.of_reader(reader)[case, new.phase]

    def all(self, study: UUID) -> list[Reading]:
        """Return the readings of all unerased cases, in the order in which they were sent."""
        query = (
            self._select_readings()
            .where(ReadingRow.study_id == study)
            .order_by(ReadingRow.id)
        )
        return [_reading(row) for row in self._session.execute(query)]

    def study_cases(self, study: UUID) -> list[StudyCase]:
        """The unerased cases by id, each with its latest outcome."""
        last_outcome = (
            select(OutcomeRow.malignant)
            .where(OutcomeRow.case_id == ReaderStudyCaseRow.case_id)
            .order_by(OutcomeRow.id.desc())
            .limit(1)
            .lateral()
        )
        query = (
            select(
                ReaderStudyCaseRow.case_id,
                ReaderStudyCaseRow.job_id,
                last_outcome.c.malignant,
                ResultRow.body,
            )
            .join(ResultRow, ResultRow.job_id == ReaderStudyCaseRow.job_id)
            .join(last_outcome, true())
            .where(ReaderStudyCaseRow.study_id == study)
            .order_by(ReaderStudyCaseRow.case_id, ResultRow.created_at)
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, ReaderStudyCaseRow)
        )
        cases: dict[UUID, StudyCase] = {}
        for row in rows:
            cases[row.case_id] = StudyCase(
                case_id=row.case_id,
                job_id=row.job_id,
                malignant=row.malignant,
                result=Result.from_json(row.body),
            )
        return list(cases.values())

    def record_breaches(
        self, person: UUID | None, event: Event, cases: Sequence[UUID]
    ) -> None:
        """Note that a person saw cases outside their reader studies.

        This breaches the blinding of every open study in which the person has not yet read one of
        the cases blind.
        """
        if person is None or event not in ACCESS_EVENTS or not cases:
            return
        persons_reading = select(ReadingRow.id).where(
            ReadingRow.study_id == ReaderStudyCaseRow.study_id,
            ReadingRow.case_id == ReaderStudyCaseRow.case_id,
            ReadingRow.person_id == person,
        )
        query = (
            select(ReaderStudyCaseRow.study_id, ReaderStudyCaseRow.case_id)
            .join(ReaderStudyRow, ReaderStudyRow.id == ReaderStudyCaseRow.study_id)
            .join(
                ReaderStudyReaderRow, ReaderStudyReaderRow.study_id == ReaderStudyRow.id
            )
            .where(
                ReaderStudyReaderRow.person_id == person,
                ReaderStudyRow.state == StudyState.OPEN,
                ReaderStudyCaseRow.case_id.in_(cases),
                ~persons_reading.exists(),
            )
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, ReaderStudyCaseRow)
        ).all()
        for row in rows:
            self._record_breach(
                study=row.study_id, case=row.case_id, person=person, event=event
            )

    def breaches(self, study: UUID) -> set[tuple[int, UUID]]:
        """Return (reader's number, case) of cases that readers saw elsewhere before reading blind.

        Only breaches while the study was open are included.
        """
        query = (
            select(ReaderStudyReaderRow.number, BlindingBreachRow.case_id)
            .join(
                ReaderStudyReaderRow,
                (ReaderStudyReaderRow.study_id == BlindingBreachRow.study_id)
                & (ReaderStudyReaderRow.person_id == BlindingBreachRow.person_id),
            )
            .where(BlindingBreachRow.study_id == study)
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, BlindingBreachRow)
        )
        return {(number, case) for number, case in rows}

    def previously_seen(self, study: UUID) -> set[tuple[int, UUID]]:
        """Return (reader's number, case) of cases that readers saw before the study was opened.

        The source is the audit trail.
        """
        actor = func.concat("person:", ReaderStudyReaderRow.person_id)
        query = (
            select(ReaderStudyReaderRow.number, AuditRow.case_id)
            .join(AuditRow, AuditRow.actor == actor)
            .join(ReaderStudyRow, ReaderStudyRow.id == ReaderStudyReaderRow.study_id)
            .where(
                ReaderStudyRow.id == study,
                AuditRow.event.in_(ACCESS_EVENTS),
                AuditRow.case_id.in_(_select_case_ids(study)),
                AuditRow.at < ReaderStudyRow.opened_at,
            )
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, ReaderStudyReaderRow)
        )
        return {(number, case) for number, case in rows if case is not None}

    def _record_breach(
        self, study: UUID, case: UUID, person: UUID, event: Event
    ) -> None:
        """Record a breach, unless it is stored already."""
        statement = (
            insert(BlindingBreachRow)
            .values(
                hospital_id=self._hospital,
                study_id=study,
                case_id=case,
                person_id=person,
                what=event,
            )
            .on_conflict_do_nothing()
            .returning(BlindingBreachRow.case_id)
        )
        if self._session.scalar(statement) is not None:
            self._audit.record(
                Event.READER_STUDY_BREACHED, case=case, study=str(study), why=event
            )

    def _showings(
        self, reader: StudyReader, case: UUID, phase: Phase
    ) -> tuple[datetime | None, int]:
        """Return the time of the first showing, and the number of showings."""
        query = select(func.min(ShowingRow.at), func.count()).where(
            ShowingRow.study_id == reader.study,
            ShowingRow.person_id == reader.person,
            ShowingRow.case_id == case,
            ShowingRow.phase == phase,
        )
        query = self._restrict_to_hospital(query, ShowingRow)
        first, count = self._session.execute(query).one()
        return first, count

    def _unerased_cases(self, study: UUID) -> list[UUID]:
        query = select(CaseRow.id).where(
            CaseRow.id.in_(_select_case_ids(study)), CaseRow.erased_at.is_(None)
        )
        return list(self._session.scalars(self._restrict_to_hospital(query, CaseRow)))

    def _select_readings(self) -> AnySelect:
        columns = [
            getattr(ReadingRow, field.name)
            for field in fields(Reading)
            if field.name != "reader"
        ]
        query = select(*columns, ReaderStudyReaderRow.number.label("reader")).join(
            ReaderStudyReaderRow, _is_reader_of_reading()
        )
        return self._restrict_to_hospital(query, ReadingRow)


def _is_reader_of_reading() -> ColumnElement[bool]:
    return (ReaderStudyReaderRow.study_id == ReadingRow.study_id) & (
        ReaderStudyReaderRow.person_id == ReadingRow.person_id
    )


def _select_case_ids(study: UUID) -> Select[UUID]:
    return select(ReaderStudyCaseRow.case_id).where(
        ReaderStudyCaseRow.study_id == study
    )


def _reading(row: AnyRow) -> Reading:
    values = dict(row._mapping)
    values["phase"] = Phase(row.phase)
    return Reading(**values)
