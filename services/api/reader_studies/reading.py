"""Reading a study: shows a reader the next case, stores what they say, and only then shows what SERA said."""

from uuid import UUID

from fastapi import Response

from services.api.dependencies import Dependencies
from services.api.reader_studies.picture import png
from services.api.reader_studies.schemas import (
    AidedView,
    NewReadingView,
    NextCase,
    OwnReading,
)
from shared.domain.audit.events import Event
from shared.domain.reader_studies import Phase
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller
from shared.ledger.reader_studies.readings import NewReading, Reading, StudyReader

CACHE_HEADERS = {"Cache-Control": "private, max-age=3600"}


class ReadingService:
    """Of a person; a key is no reader of any study."""

    def __init__(
        self, session: HospitalSession, caller: Caller, dependencies: Dependencies, study: UUID
    ) -> None:
        self._session = session
        self._caller = caller
        self._dependencies = dependencies
        self._study = study

    def next(self) -> NextCase:
        """A case read blind comes again to be read aided; then the next one in this reader's order."""
        seat = self._seat()
        known = self._session.readings.of_reader(seat)
        left = [case for case in seat.order if (case, Phase.AIDED) not in known]
        if not left:
            return _nothing(seat)
        phase = Phase.AIDED if (left[0], Phase.BLIND) in known else Phase.BLIND
        if phase is Phase.BLIND:
            self._session.readings.record_showing(seat, left[0], phase)
        case = self._session.readings.case(seat, left[0])
        return NextCase(
            phase=phase,
            case_id=case.id,
            image=self._link(case.id),
            width=case.width,
            height=case.height,
            size_mm=case.size_mm,
            done=len(seat.order) - len(left),
            cases=len(seat.order),
        )

    def image(self, case_id: UUID) -> Response:
        """The transaction ends before the image is read and decoded."""
        case = self._session.readings.case(self._seat(), case_id)
        self._session.transaction.commit()
        return Response(png(self._dependencies, case), media_type="image/png", headers=CACHE_HEADERS)

    def store(self, new: NewReadingView) -> OwnReading:
        seat = self._seat()
        self._session.readings.case(seat, new.case_id)
        reading = NewReading(**new.model_dump(exclude={"case_id"}))
        return own_reading(self._session.readings.store(seat, new.case_id, reading))

    def aided(self, case_id: UUID) -> AidedView:
        readings = self._session.readings
        seat = self._seat()
        case = readings.case(seat, case_id)
        answer = readings.answer(seat, case_id)
        blind = own_reading(readings.of_reader(seat)[case_id, Phase.BLIND])
        readings.record_showing(seat, case_id, Phase.AIDED)
        self._dependencies.read_audit.record_reads(
            self._session, self._caller, Event.RESULT_READ, [(case_id, answer.job_id)]
        )
        return AidedView(
            case_id=case_id,
            image=self._link(case_id),
            size_mm=case.size_mm,
            blind=blind,
            sera=answer.result,
        )

    def _seat(self) -> StudyReader:
        return self._session.readings.find_reader(self._study, self._caller.person)

    def _link(self, case_id: UUID) -> str:
        return f"/v1/reader-studies/{self._study}/cases/{case_id}/image.png"


def own_reading(reading: Reading) -> OwnReading:
    return OwnReading(
        **{name: getattr(reading, name) for name in OwnReading.model_fields}
    )


def _nothing(seat: StudyReader) -> NextCase:
    return NextCase(
        phase=None,
        case_id=None,
        image=None,
        width=None,
        height=None,
        size_mm=None,
        done=len(seat.order),
        cases=len(seat.order),
    )
