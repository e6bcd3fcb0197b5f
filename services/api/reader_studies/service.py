"""Makes, opens and closes a hospital's reader studies, and says how far their readers are."""

from uuid import UUID

from services.api.reader_studies.schemas import (
    NewReaderStudy,
    ReaderProgress,
    ReaderStudyView,
)
from shared.domain.reader_studies import StudyState
from shared.domain.roles import PERMISSIONS, Permission
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller
from shared.ledger.reader_studies.repository import NewStudy, ReaderCounts, ReaderStudy

NOBODY = UUID(int=0)
"""Whom a key is in the eyes of a study: no reader of any."""


class StudyService:
    """An administrator sees every study of the hospital, a reader those that they read."""

    def __init__(self, session: HospitalSession, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def make(self, new: NewReaderStudy) -> ReaderStudyView:
        study = NewStudy(
            name=new.name,
            question=new.question,
            design=new.design,
            seed=new.seed,
            selection=new.pick.by,
            count=new.pick.count,
            cases=tuple(new.pick.ids),
            readers=tuple(new.readers),
        )
        made = self._session.reader_studies.create(study)
        return self._view(self._session.reader_studies.find(made))

    def all(self) -> list[ReaderStudyView]:
        return [
            self._view(study)
            for study in self._session.reader_studies.all(self._reader)
        ]

    def find(self, study: UUID) -> ReaderStudyView:
        return self._view(self._session.reader_studies.find(study, self._reader))

    def move(self, study: UUID, state: StudyState) -> ReaderStudyView:
        return self._view(self._session.reader_studies.change_state(study, state))

    @property
    def _administers(self) -> bool:
        return Permission.ADMINISTER in PERMISSIONS[self._caller.role]

    @property
    def _reader(self) -> UUID | None:
        return None if self._administers else self._caller.person or NOBODY

    def _view(self, study: ReaderStudy) -> ReaderStudyView:
        studies = self._session.reader_studies
        counts = studies.counts(study.id)
        return ReaderStudyView(
            study_id=study.id,
            name=study.name,
            question=study.question,
            design=study.design,
            seed=study.seed,
            state=study.state,
            made_at=study.made_at,
            opened_at=study.opened_at,
            closed_at=study.closed_at,
            cases=counts["cases"],
            erased=counts["erased"],
            readers=[
                self._progress(progress) for progress in studies.progress(study.id)
            ],
        )

    def _progress(self, of: ReaderCounts) -> ReaderProgress:
        """How far the others are is no secret among readers; who they are is."""
        known = self._administers or of.person == self._caller.person
        return ReaderProgress(
            number=of.number,
            person_id=of.person if known else None,
            name=of.name if known else None,
            blind=of.blind,
            aided=of.aided,
        )
