"""Makes, opens and closes a hospital's reader studies, and says how far their readers are."""

from uuid import UUID

from services.api.dependencies import Wiring
from services.api.reader_studies.schemas import NewReaderStudy, ReaderProgress, ReaderStudyView
from shared.domain.reader_studies import StudyState
from shared.domain.roles import MAY, Act
from shared.ledger import HospitalSession
from shared.ledger.hospitals import Caller
from shared.ledger.reader_studies import NewStudy, Progress, ReaderStudy

NOBODY = UUID(int=0)
"""Whom a key is in the eyes of a study: no reader of any."""


class StudyDesk:
    """An administrator sees every study of the hospital, a reader those that they read."""

    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def make(self, new: NewReaderStudy) -> ReaderStudyView:
        study = NewStudy(
            name=new.name,
            question=new.question,
            design=new.design,
            seed=new.seed,
            pick=new.pick.by,
            count=new.pick.count,
            cases=tuple(new.pick.ids),
            readers=tuple(new.readers),
        )
        with self._book() as session:
            made = session.reader_studies.make(study)
            return self._view(session, session.reader_studies.find(made))

    def all(self) -> list[ReaderStudyView]:
        with self._book() as session:
            return [self._view(session, each) for each in session.reader_studies.all(self._reader)]

    def find(self, study: UUID) -> ReaderStudyView:
        with self._book() as session:
            return self._view(session, session.reader_studies.find(study, self._reader))

    def move(self, study: UUID, state: StudyState) -> ReaderStudyView:
        with self._book() as session:
            return self._view(session, session.reader_studies.move(study, state))

    @property
    def _administers(self) -> bool:
        return Act.ADMINISTER in MAY[self._who.role]

    @property
    def _reader(self) -> UUID | None:
        return None if self._administers else self._who.person or NOBODY

    def _view(self, session: HospitalSession, study: ReaderStudy) -> ReaderStudyView:
        counts = session.reader_studies.counts(study.id)
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
            readers=[self._progress(each) for each in session.reader_studies.progress(study.id)],
        )

    def _progress(self, of: Progress) -> ReaderProgress:
        """How far the others are is no secret among readers; who they are is."""
        known = self._administers or of.person == self._who.person
        told = (
            {"person_id": of.person, "name": of.name}
            if known
            else {"person_id": None, "name": None}
        )
        return ReaderProgress(number=of.number, blind=of.blind, aided=of.aided, **told)

    def _book(self):
        return self._wired.ledger.hospital_session(self._who.hospital_id, self._who.actor)
