"""Creates, opens and closes a hospital's reader studies, and reports the progress of their
readers.
"""

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

NO_PERSON = UUID(int=0)
"""Used for a caller with an API key, who cannot be a reader of a study."""


class StudyService:
    """An administrator sees every study of the hospital, a reader only the studies that they
    read.
    """

    def __init__(self, session: HospitalSession, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def create(self, new: NewReaderStudy) -> ReaderStudyView:
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
        study_id = self._session.reader_studies.create(study)
        return self._view(self._session.reader_studies.find(study_id))

    def all(self) -> list[ReaderStudyView]:
        studies = self._session.reader_studies.all(self._reader)
        return [self._view(study) for study in studies]

    def read(self, study: UUID) -> ReaderStudyView:
        return self._view(self._session.reader_studies.find(study, self._reader))

    def change_state(self, study: UUID, state: StudyState) -> ReaderStudyView:
        return self._view(self._session.reader_studies.change_state(study, state))

    @property
    def _is_administrator(self) -> bool:
        return Permission.ADMINISTER in PERMISSIONS[self._caller.role]

    @property
    def _reader(self) -> UUID | None:
        """Return the person whose studies are visible, or None if all studies are visible."""
        if self._is_administrator:
            return None
        return self._caller.person or NO_PERSON

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

    def _progress(self, counts: ReaderCounts) -> ReaderProgress:
        """Return the progress of a reader. Readers see the progress of other readers, but not their
        names.
        """
        is_own = counts.person == self._caller.person
        shows_identity = self._is_administrator or is_own
        return ReaderProgress(
            number=counts.number,
            person_id=counts.person if shows_identity else None,
            name=counts.name if shows_identity else None,
            blind=counts.blind,
            aided=counts.aided,
        )
