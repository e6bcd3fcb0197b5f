"""A hospital's reader studies: created from its cases and its people, opened, closed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, func, insert, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState
from shared.domain.reader_studies import TRANSITIONS, CaseSelection, Design, StudyState
from shared.domain.roles import HOSPITAL_ROLES
from shared.errors import Conflict, InputError, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import (
    CaseRow,
    JobRow,
    OutcomeRow,
    PersonRow,
    ReaderStudyCaseRow,
    ReaderStudyReaderRow,
    ReaderStudyRow,
    ReadingRow,
    ResultRow,
)

STATE_TIMES = {StudyState.OPEN: "opened_at", StudyState.CLOSED: "closed_at"}
"""The column with the time of each change of state."""


class StudyUnknown(NotFound):
    code = "reader-study-unknown"
    text = (
        "There is no such reader study, or it is not yours to see. Those there are: GET "
        "/v1/reader-studies."
    )


class StudyStateConflict(Conflict):
    code = "reader-study-state"
    text = "The reader study is {state}: it goes from draft to open to closed, and never back."


class TooFewCases(Conflict):
    code = "reader-study-too-few-cases"
    text = (
        "There are {found} such cases with a result and a known outcome, and {wanted} are asked "
        "for. Record more outcomes, or ask for fewer cases."
    )


class ReaderNotEligible(InputError):
    code = "reader-study-reader-unfit"
    status = 409
    text = (
        "A reader of the study is not a person of this hospital who may read. Take them from GET "
        "/v1/people."
    )


@dataclass(frozen=True)
class NewStudy:
    name: str
    question: str
    design: Design
    seed: int
    selection: CaseSelection
    count: int
    """The number of cases to select, if `cases` is empty."""
    cases: tuple[UUID, ...]
    readers: tuple[UUID, ...]


@dataclass(frozen=True)
class ReaderStudy:
    id: UUID
    name: str
    question: str
    design: Design
    seed: int
    state: StudyState
    made_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True)
class ReaderCounts:
    """A reader, and the number of their readings in each phase; `number` is their pseudonym."""

    person: UUID
    number: int
    name: str
    blind: int
    aided: int


@dataclass(frozen=True)
class EligibleCase:
    """A case that may be in a study. The result of the job is SERA's result in the study."""

    case_id: UUID
    job_id: UUID
    malignant: bool


class ReaderStudies(HospitalRepository):
    def __init__(self, session: Session, hospital: UUID, audit: AuditTrail) -> None:
        super().__init__(session, hospital)
        self._audit = audit

    def create(self, new: NewStudy) -> UUID:
        """Create a draft. Raises TooFewCases, ReaderNotEligible."""
        cases = pick_cases(self.eligible(), new)
        self._check_readers(new.readers)
        row = ReaderStudyRow(
            hospital_id=self._hospital,
            name=new.name,
            question=new.question,
            design=new.design,
            seed=new.seed,
        )
        self._session.add(row)
        self._session.flush()
        case_rows = [
            {
                "study_id": row.id,
                "hospital_id": self._hospital,
                "case_id": case.case_id,
                "job_id": case.job_id,
            }
            for case in cases
        ]
        reader_rows = [
            {
                "study_id": row.id,
                "hospital_id": self._hospital,
                "person_id": reader,
                "number": number,
            }
            for number, reader in enumerate(new.readers, 1)
        ]
        self._session.execute(insert(ReaderStudyCaseRow), case_rows)
        self._session.execute(insert(ReaderStudyReaderRow), reader_rows)
        self._audit.record(
            Event.READER_STUDY_MADE,
            study=str(row.id),
            seed=new.seed,
            cases=len(case_rows),
            readers=len(reader_rows),
        )
        return row.id

    def eligible(self) -> list[EligibleCase]:
        """Cases with a result and an outcome, newest first, without erased ones and duplicates."""
        last_outcome_ids = self._restrict_to_hospital(
            select(func.max(OutcomeRow.id)), OutcomeRow
        ).group_by(OutcomeRow.case_id)
        query = (
            select(CaseRow.id, JobRow.id, OutcomeRow.malignant)
            .join(JobRow, JobRow.case_id == CaseRow.id)
            .join(ResultRow, ResultRow.job_id == JobRow.id)
            .join(OutcomeRow, OutcomeRow.case_id == CaseRow.id)
            .where(
                OutcomeRow.id.in_(last_outcome_ids),
                JobRow.state == JobState.DONE,
                CaseRow.erased_at.is_(None),
                CaseRow.duplicate_of.is_(None),
            )
            .order_by(CaseRow.created_at.desc(), CaseRow.id, JobRow.created_at.desc())
        )
        rows = self._session.execute(self._restrict_to_hospital(query, CaseRow))
        cases: dict[UUID, EligibleCase] = {}
        for case_id, job_id, malignant in rows:
            case = EligibleCase(case_id=case_id, job_id=job_id, malignant=malignant)
            cases.setdefault(case_id, case)
        return list(cases.values())

    def all(self, reader: UUID | None = None) -> list[ReaderStudy]:
        """Return studies, latest first; with `reader`, only the opened studies of that reader."""
        query = select(ReaderStudyRow).order_by(ReaderStudyRow.made_at.desc())
        query = self._restrict_to_reader(query, reader)
        return [_study(row) for row in self._session.scalars(query)]

    def find(self, study: UUID, reader: UUID | None = None) -> ReaderStudy:
        """Raises StudyUnknown, also if `reader` is no reader of the study, or if it is not open
        yet.
        """
        query = select(ReaderStudyRow).where(ReaderStudyRow.id == study)
        row = self._session.scalar(self._restrict_to_reader(query, reader))
        if row is None:
            raise StudyUnknown
        return _study(row)

    def change_state(self, study: UUID, state: StudyState) -> ReaderStudy:
        """Open or close a study. If it already has the state, nothing changes.

        Raises StudyUnknown, StudyStateConflict.
        """
        query = select(ReaderStudyRow).where(ReaderStudyRow.id == study)
        query = self._restrict_to_hospital(query, ReaderStudyRow)
        row = self._session.scalar(query.with_for_update())
        if row is None:
            raise StudyUnknown
        if row.state == state:
            return _study(row)
        if state not in TRANSITIONS[StudyState(row.state)]:
            raise StudyStateConflict(state=row.state)
        changes = {"state": state, STATE_TIMES[state]: func.clock_timestamp()}
        self._session.execute(
            update(ReaderStudyRow).where(ReaderStudyRow.id == study).values(changes)
        )
        if state is StudyState.OPEN:
            event = Event.READER_STUDY_OPENED
        else:
            event = Event.READER_STUDY_CLOSED
        self._audit.record(event, study=str(study))
        self._session.refresh(row)
        return _study(row)

    def progress(self, study: UUID) -> list[ReaderCounts]:
        """Return every reader, by number. Only the administrator may see the names."""
        is_readers_own = (ReadingRow.study_id == study) & (
            ReadingRow.person_id == ReaderStudyReaderRow.person_id
        )
        query = (
            select(
                ReaderStudyReaderRow.person_id,
                ReaderStudyReaderRow.number,
                PersonRow.name,
                func.count().filter(ReadingRow.phase == "blind").label("blind"),
                func.count().filter(ReadingRow.phase == "aided").label("aided"),
            )
            .join(PersonRow, PersonRow.id == ReaderStudyReaderRow.person_id)
            .outerjoin(ReadingRow, is_readers_own)
            .where(ReaderStudyReaderRow.study_id == study)
            .group_by(
                ReaderStudyReaderRow.person_id,
                ReaderStudyReaderRow.number,
                PersonRow.name,
            )
            .order_by(ReaderStudyReaderRow.number)
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, ReaderStudyReaderRow)
        )
        return [
            ReaderCounts(
                person=row.person_id,
                number=row.number,
                name=row.name,
                blind=row.blind,
                aided=row.aided,
            )
            for row in rows
        ]

    def counts(self, study: UUID) -> Mapping[str, int]:
        """Return the number of the study's unerased `cases`, and of its `erased` cases."""
        query = (
            select(func.count(), func.count().filter(CaseRow.erased_at.is_not(None)))
            .select_from(ReaderStudyCaseRow)
            .join(CaseRow, CaseRow.id == ReaderStudyCaseRow.case_id)
            .where(ReaderStudyCaseRow.study_id == study)
        )
        query = self._restrict_to_hospital(query, ReaderStudyCaseRow)
        total, erased = self._session.execute(query).one()
        return {"cases": total - erased, "erased": erased}

    def _restrict_to_reader(
        self, query: Select[ReaderStudyRow], reader: UUID | None
    ) -> Select[ReaderStudyRow]:
        query = self._restrict_to_hospital(query, ReaderStudyRow)
        if reader is None:
            return query
        return query.where(
            ReaderStudyRow.id.in_(_studies_of(reader)),
            ReaderStudyRow.state != StudyState.DRAFT,
        )

    def _check_readers(self, readers: Sequence[UUID]) -> None:
        """Raise ReaderNotEligible unless all are distinct people of the hospital who may read
        cases.
        """
        query = select(func.count()).where(
            PersonRow.id.in_(readers),
            PersonRow.disabled_at.is_(None),
            PersonRow.role.in_(HOSPITAL_ROLES),
        )
        eligible = self._session.scalar(self._restrict_to_hospital(query, PersonRow))
        different = len(set(readers))
        if eligible != different or different != len(readers):
            raise ReaderNotEligible


def pick_cases(eligible: Sequence[EligibleCase], new: NewStudy) -> list[EligibleCase]:
    """Choose the study's cases. Raises TooFewCases."""
    count = new.count
    if new.selection is CaseSelection.IDS:
        case_ids = set(new.cases)
        count = len(case_ids)
        cases = [case for case in eligible if case.case_id in case_ids]
    elif new.selection is CaseSelection.NEWEST:
        cases = list(eligible[:count])
    else:
        cases = _draw_balanced(eligible, count, new.seed)
    if len(cases) < count or not cases:
        raise TooFewCases(found=len(cases), wanted=count)
    return cases


def _draw_balanced(
    eligible: Sequence[EligibleCase], count: int, seed: int
) -> list[EligibleCase]:
    """Draw as many malignant as benign cases, up to `count`; an odd count has one more benign."""
    generator = random.Random(seed)
    ordered = sorted(eligible, key=lambda case: case.case_id)
    malignant = [case for case in ordered if case.malignant]
    benign = [case for case in ordered if not case.malignant]
    malignant_count = min(count // 2, len(malignant))
    benign_count = min(count - count // 2, len(benign))
    drawn_malignant = generator.sample(malignant, malignant_count)
    drawn_benign = generator.sample(benign, benign_count)
    return drawn_malignant + drawn_benign


def _studies_of(reader: UUID) -> ScalarSelect[UUID]:
    return (
        select(ReaderStudyReaderRow.study_id)
        .where(ReaderStudyReaderRow.person_id == reader)
        .scalar_subquery()
    )


def _study(row: ReaderStudyRow) -> ReaderStudy:
    values = {field.name: getattr(row, field.name) for field in fields(ReaderStudy)}
    values["design"] = Design(row.design)
    values["state"] = StudyState(row.state)
    return ReaderStudy(**values)
