"""A hospital's reader studies: made of its cases and its people, opened, closed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, insert, select, update
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

STAMPS = {StudyState.OPEN: "opened_at", StudyState.CLOSED: "closed_at"}


class StudyUnknown(NotFound):
    code = "reader-study-unknown"
    text = "There is no such reader study, or it is not yours to see. Those there are: GET /v1/reader-studies."


class StudyStateConflict(Conflict):
    code = "reader-study-state"
    text = "The reader study is {state}: it goes from draft to open to closed, and never back."


class TooFewCases(Conflict):
    code = "reader-study-too-few-cases"
    text = (
        "There are {found} such cases with a result and a known outcome, and {wanted} are asked for. Record more "
        "outcomes, or ask for fewer cases."
    )


class ReaderNotEligible(InputError):
    code = "reader-study-reader-unfit"
    status = 409
    text = "A reader of the study is not a person of this hospital who may read. Take them from GET /v1/people."


@dataclass(frozen=True)
class NewStudy:
    name: str
    question: str
    design: Design
    seed: int
    pick: CaseSelection
    count: int
    """How many cases, where they are not named."""
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
    """A reader and how far they are; `number` is their pseudonym."""

    person: UUID
    number: int
    name: str
    blind: int
    aided: int


@dataclass(frozen=True)
class EligibleCase:
    """A case that may be studied, by the job whose result is SERA's answer."""

    case_id: UUID
    job_id: UUID
    malignant: bool


class ReaderStudies(HospitalRepository):
    def __init__(self, session: Session, hospital: UUID, audit: AuditTrail) -> None:
        super().__init__(session, hospital)
        self._audit = audit

    def create(self, new: NewStudy) -> UUID:
        """A draft. Raises TooFewCases, ReaderUnfit."""
        cases = pick_cases(self.eligible(), new)
        self._check_readers(new.readers)
        told = {
            name: getattr(new, name) for name in ("name", "question", "design", "seed")
        }
        row = ReaderStudyRow(hospital_id=self._hospital, **told)
        self._session.add(row)
        self._session.flush()
        place = {"study_id": row.id, "hospital_id": self._hospital}
        members = [
            {**place, "case_id": each.case_id, "job_id": each.job_id} for each in cases
        ]
        readers = [
            {**place, "person_id": each, "number": number}
            for number, each in enumerate(new.readers, 1)
        ]
        self._session.execute(insert(ReaderStudyCaseRow), members)
        self._session.execute(insert(ReaderStudyReaderRow), readers)
        self._audit.record(
            Event.READER_STUDY_MADE,
            study=str(row.id),
            seed=new.seed,
            cases=len(cases),
            readers=len(readers),
        )
        return row.id

    def eligible(self) -> list[EligibleCase]:
        """Kept cases with a result and an outcome, newest first; what was sent twice counts once."""
        last = self._restrict_to_hospital(select(func.max(OutcomeRow.id)), OutcomeRow).group_by(
            OutcomeRow.case_id
        )
        query = select(CaseRow.id, JobRow.id, OutcomeRow.malignant).join(
            JobRow, JobRow.case_id == CaseRow.id
        )
        query = query.join(ResultRow, ResultRow.job_id == JobRow.id).join(
            OutcomeRow, OutcomeRow.case_id == CaseRow.id
        )
        query = self._restrict_to_hospital(query, CaseRow).where(
            OutcomeRow.id.in_(last), JobRow.state == JobState.DONE
        )
        query = query.where(CaseRow.erased_at.is_(None), CaseRow.duplicate_of.is_(None))
        rows = self._session.execute(
            query.order_by(
                CaseRow.created_at.desc(), CaseRow.id, JobRow.created_at.desc()
            )
        )
        first: dict[UUID, EligibleCase] = {}
        for row in rows:
            first.setdefault(row[0], EligibleCase(*row))
        return list(first.values())

    def all(self, reader: UUID | None = None) -> list[ReaderStudy]:
        """Newest first; of one reader, those that were opened."""
        query = self._restrict_to_hospital(select(ReaderStudyRow), ReaderStudyRow).order_by(
            ReaderStudyRow.made_at.desc()
        )
        return [_study(row) for row in self._session.scalars(self._for(query, reader))]

    def find(self, study: UUID, reader: UUID | None = None) -> ReaderStudy:
        """Raises StudyUnknown, also for a reader who is none of this study or comes too early."""
        query = self._restrict_to_hospital(select(ReaderStudyRow), ReaderStudyRow).where(
            ReaderStudyRow.id == study
        )
        row = self._session.scalar(self._for(query, reader))
        if row is None:
            raise StudyUnknown
        return _study(row)

    def change_state(self, study: UUID, state: StudyState) -> ReaderStudy:
        """Open or close it; again is harmless. Raises StudyUnknown, StudyNotThere."""
        query = self._restrict_to_hospital(select(ReaderStudyRow), ReaderStudyRow).where(
            ReaderStudyRow.id == study
        )
        row = self._session.scalar(query.with_for_update())
        if row is None:
            raise StudyUnknown
        if row.state == state:
            return _study(row)
        if state not in TRANSITIONS[StudyState(row.state)]:
            raise StudyStateConflict(state=row.state)
        moved = {"state": state, STAMPS[state]: func.clock_timestamp()}
        self._session.execute(
            update(ReaderStudyRow).where(ReaderStudyRow.id == study).values(moved)
        )
        event = (
            Event.READER_STUDY_OPENED
            if state is StudyState.OPEN
            else Event.READER_STUDY_CLOSED
        )
        self._audit.record(event, study=str(study))
        self._session.refresh(row)
        return _study(row)

    def progress(self, study: UUID) -> list[ReaderCounts]:
        """Every reader, by number, with the names that only the administrator is shown."""
        blind, aided = (
            func.count().filter(ReadingRow.phase == phase).label(phase)
            for phase in ("blind", "aided")
        )
        mine = (ReadingRow.study_id == study) & (
            ReadingRow.person_id == ReaderStudyReaderRow.person_id
        )
        query = select(
            ReaderStudyReaderRow.person_id,
            ReaderStudyReaderRow.number,
            PersonRow.name,
            blind,
            aided,
        )
        query = query.join(
            PersonRow, PersonRow.id == ReaderStudyReaderRow.person_id
        ).outerjoin(ReadingRow, mine)
        query = self._restrict_to_hospital(query, ReaderStudyReaderRow).where(
            ReaderStudyReaderRow.study_id == study
        )
        grouped = query.group_by(
            ReaderStudyReaderRow.person_id, ReaderStudyReaderRow.number, PersonRow.name
        )
        return [
            ReaderCounts(
                person=row.person_id,
                number=row.number,
                name=row.name,
                blind=row.blind,
                aided=row.aided,
            )
            for row in self._session.execute(
                grouped.order_by(ReaderStudyReaderRow.number)
            )
        ]

    def counts(self, study: UUID) -> Mapping[str, int]:
        """Cases of the study that are kept, and those that were erased since."""
        gone = func.count().filter(CaseRow.erased_at.is_not(None))
        query = select(func.count(), gone).select_from(ReaderStudyCaseRow)
        query = self._restrict_to_hospital(
            query.join(CaseRow, CaseRow.id == ReaderStudyCaseRow.case_id),
            ReaderStudyCaseRow,
        )
        all_, erased = self._session.execute(
            query.where(ReaderStudyCaseRow.study_id == study)
        ).one()
        return {"cases": all_ - erased, "erased": erased}

    def _for(self, query: Select[Any], reader: UUID | None) -> Select[Any]:
        if reader is None:
            return query
        return query.where(
            ReaderStudyRow.id.in_(_studies_of(reader)),
            ReaderStudyRow.state != StudyState.DRAFT,
        )

    def _check_readers(self, readers: Sequence[UUID]) -> None:
        fit = select(func.count()).where(
            PersonRow.id.in_(readers), PersonRow.disabled_at.is_(None)
        )
        fit = fit.where(PersonRow.role.in_(HOSPITAL_ROLES))
        if self._session.scalar(self._restrict_to_hospital(fit, PersonRow)) != len(set(readers)) or len(
            set(readers)
        ) != len(readers):
            raise ReaderNotEligible


def pick_cases(eligible: Sequence[EligibleCase], new: NewStudy) -> list[EligibleCase]:
    """Raises TooFewCases."""
    if new.pick is CaseSelection.IDS:
        found = [each for each in eligible if each.case_id in set(new.cases)]
        wanted = len(set(new.cases))
    elif new.pick is CaseSelection.NEWEST:
        found = list(eligible[: new.count])
        wanted = new.count
    else:
        found = _balanced(eligible, new.count, new.seed)
        wanted = new.count
    if len(found) < wanted or not found:
        raise TooFewCases(found=len(found), wanted=wanted)
    return found


def _balanced(eligible: Sequence[EligibleCase], count: int, seed: int) -> list[EligibleCase]:
    """As many of both as there are, up to `count`; of an odd count one more is benign."""
    draw = random.Random(seed)
    order = sorted(eligible, key=lambda each: each.case_id)
    sick, well = (
        [each for each in order if each.malignant is kind] for kind in (True, False)
    )
    wanted = (count // 2, count - count // 2)
    return [
        each
        for some, most in zip((sick, well), wanted, strict=True)
        for each in draw.sample(some, min(most, len(some)))
    ]


def _studies_of(reader: UUID) -> ColumnElement[UUID]:
    return (
        select(ReaderStudyReaderRow.study_id)
        .where(ReaderStudyReaderRow.person_id == reader)
        .scalar_subquery()
    )


def _study(row: ReaderStudyRow) -> ReaderStudy:
    told = {field.name: getattr(row, field.name) for field in fields(ReaderStudy)}
    return ReaderStudy(
        **{**told, "design": Design(row.design), "state": StudyState(row.state)}
    )
