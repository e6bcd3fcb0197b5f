"""The suspicion levels that people enter for cases before they see SERA's answer.

Where a hospital wants this, the answer to a case is withheld from a person until then. This module
decides that, for every page, file and route. No level is ever changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, false, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.reader_first import ReaderFirst
from shared.errors import Conflict, Forbidden, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.cases.repository import check_not_erased
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import (
    AuditRow,
    CaseRow,
    HospitalRow,
    PersonRow,
    ReaderLevelRow,
)

ANSWER_EVENTS = (Event.RESULT_READ, Event.EXPLANATION_READ)
"""Events after which a person knows SERA's answer to a case."""


class OwnLevelMissing(Forbidden):
    code = "own-level-first"
    text = (
        "Your hospital wants your own suspicion level for this case before SERA's answer is "
        "shown. Enter it on the page of the case."
    )


class OwnLevelStored(Conflict):
    code = "own-level-stored"
    text = "Your own suspicion level for this case is stored, and it stays as it is."


class AnswerSeen(Conflict):
    code = "answer-seen"
    text = (
        "You have seen SERA's answer to this case. A suspicion level that is entered now would "
        "not be your own first one, so none is stored."
    )


@dataclass(frozen=True, kw_only=True)
class NewReaderLevel:
    """`guideline` is a name from `shared.guidelines.GUIDELINES`, `level` one of its levels."""

    guideline: str
    level: str
    descriptors: dict[str, Any] | None = None
    """The description from which the level follows, in the lexicon's terms."""


@dataclass(frozen=True, kw_only=True)
class ReaderLevel(NewReaderLevel):
    """`name` is that of the person."""

    person: UUID
    name: str
    at: datetime


def is_withheld(person: UUID | None) -> ColumnElement[bool]:
    """Whether SERA's answer to the case of the row of `cases` is withheld from a person.

    It is not withheld from somebody who has seen it, e.g. before the hospital wanted this, and not
    from a caller with an API key, who is None.
    """
    if person is None:
        return false()
    wants_level = select(HospitalRow.id).where(
        HospitalRow.id == CaseRow.hospital_id,
        HospitalRow.reader_first == ReaderFirst.ON,
    )
    own_level = select(ReaderLevelRow.id).where(
        ReaderLevelRow.case_id == CaseRow.id, ReaderLevelRow.person_id == person
    )
    return wants_level.exists() & ~own_level.exists() & ~_has_seen_answer(person)


class ReaderLevels(HospitalRepository):
    def __init__(self, session: Session, hospital: UUID, audit: AuditTrail) -> None:
        super().__init__(session, hospital)
        self._audit = audit

    def withheld(self, person: UUID | None, cases: Iterable[UUID]) -> set[UUID]:
        """The cases whose answers are withheld from the person; none for an API key, None."""
        case_ids = list(cases)
        if person is None or not case_ids:
            return set()
        query = select(CaseRow.id).where(CaseRow.id.in_(case_ids), is_withheld(person))
        return set(self._session.scalars(self._restrict_to_hospital(query, CaseRow)))

    def check_shown(self, person: UUID | None, case: UUID) -> None:
        """Raises OwnLevelMissing if the answer is withheld from the person."""
        if self.withheld(person, [case]):
            raise OwnLevelMissing

    def fna_rule(self) -> str | None:
        """The hospital's own FNA rule, whose guideline has the levels; None: the installation's."""
        query = select(HospitalRow.fna_rule).where(HospitalRow.id == self._hospital)
        return self._session.scalar(query)

    def store(self, person: UUID, case: UUID, new: NewReaderLevel) -> ReaderLevel:
        """Store a person's own level for a case, once.

        Raises NotFound if the case does not belong to this hospital, CaseErased, OwnLevelStored,
        and AnswerSeen.
        """
        query = select(CaseRow, _has_seen_answer(person)).where(CaseRow.id == case)
        query = self._restrict_to_hospital(query, CaseRow)
        row = self._session.execute(
            query.with_for_update(key_share=True, of=CaseRow)
        ).first()
        if row is None:
            raise NotFound(thing="case")
        case_row, has_seen_answer = row
        check_not_erased(case_row)
        if has_seen_answer and not self._has_level(person, case):
            raise AnswerSeen
        statement = (
            insert(ReaderLevelRow)
            .values(
                **vars(new), case_id=case, person_id=person, hospital_id=self._hospital
            )
            .on_conflict_do_nothing(constraint="reader_levels_once")
            .returning(ReaderLevelRow.id)
        )
        level_id = self._session.scalar(statement)
        if level_id is None:
            raise OwnLevelStored
        self._audit.record(Event.CASE_READ_FIRST, case=case)
        levels = self.of_case(case)
        return next(level for level in levels if level.person == person)

    def of_case(self, case: UUID) -> list[ReaderLevel]:
        """The levels that people entered for a case, oldest first."""
        query = (
            select(
                ReaderLevelRow.guideline,
                ReaderLevelRow.level,
                ReaderLevelRow.descriptors,
                ReaderLevelRow.person_id.label("person"),
                PersonRow.name,
                ReaderLevelRow.at,
            )
            .join(PersonRow, PersonRow.id == ReaderLevelRow.person_id)
            .where(ReaderLevelRow.case_id == case)
            .order_by(ReaderLevelRow.id)
        )
        rows = self._session.execute(self._restrict_to_hospital(query, ReaderLevelRow))
        return [ReaderLevel(**row._mapping) for row in rows]

    def _has_level(self, person: UUID, case: UUID) -> bool:
        return any(level.person == person for level in self.of_case(case))


def _has_seen_answer(person: UUID) -> ColumnElement[bool]:
    events = select(AuditRow.id).where(
        AuditRow.hospital_id == CaseRow.hospital_id,
        AuditRow.case_id == CaseRow.id,
        AuditRow.actor == f"person:{person}",
        AuditRow.event.in_(ANSWER_EVENTS),
    )
    return events.exists()
