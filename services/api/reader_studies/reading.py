"""The reading desk: puts the next case before a reader, takes what they say, and only then shows what SERA said."""

from uuid import UUID

from fastapi import Response

from services.api.dependencies import Wiring
from services.api.reader_studies.picture import png
from services.api.reader_studies.schemas import AidedView, NewReadingView, NextCase, OwnReading
from shared.domain.events import Event
from shared.domain.reader_studies import Phase
from shared.ledger import HospitalSession
from shared.ledger.hospitals import Caller
from shared.ledger.readings import NewReading, Reading, Seat

SHOWN = {"Cache-Control": "private, max-age=3600"}


class ReadingDesk:
    """Of a person; a key has no seat at it."""

    def __init__(self, wired: Wiring, who: Caller, study: UUID) -> None:
        self._wired, self._who, self._study = wired, who, study

    def next(self) -> NextCase:
        """A case read blind comes again to be read aided; then the next one in this reader's order."""
        with self._book() as session:
            seat = self._seat(session)
            known = session.readings.of(seat)
            left = [case for case in seat.order if (case, Phase.AIDED) not in known]
            if not left:
                return _nothing(seat)
            phase = Phase.AIDED if (left[0], Phase.BLIND) in known else Phase.BLIND
            if phase is Phase.BLIND:
                session.readings.show(seat, left[0], phase)
            case = session.readings.case(seat, left[0])
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
        with self._book() as session:
            case = session.readings.case(self._seat(session), case_id)
        return Response(png(self._wired, case), media_type="image/png", headers=SHOWN)

    def store(self, new: NewReadingView) -> OwnReading:
        told = new.model_dump(exclude={"case_id"})
        with self._book() as session:
            seat = self._seat(session)
            session.readings.case(seat, new.case_id)
            return own(session.readings.store(seat, new.case_id, NewReading(**told)))

    def aided(self, case_id: UUID) -> AidedView:
        with self._book() as session:
            seat = self._seat(session)
            case = session.readings.case(seat, case_id)
            answer = session.readings.answer(seat, case_id)
            blind = own(session.readings.of(seat)[case_id, Phase.BLIND])
            session.readings.show(seat, case_id, Phase.AIDED)
            read = [(case_id, answer.job_id)]
            self._wired.read_audit.note(session, self._who, Event.RESULT_READ, read)
        return AidedView(
            case_id=case_id,
            image=self._link(case_id),
            size_mm=case.size_mm,
            blind=blind,
            sera=answer.result,
        )

    def _seat(self, session: HospitalSession) -> Seat:
        return session.readings.seat(self._study, self._who.person)

    def _link(self, case_id: UUID) -> str:
        return f"/v1/reader-studies/{self._study}/cases/{case_id}/image.png"

    def _book(self):
        return self._wired.ledger.hospital_session(self._who.hospital_id, self._who.actor)


def own(reading: Reading) -> OwnReading:
    return OwnReading(**{name: getattr(reading, name) for name in OwnReading.model_fields})


def _nothing(seat: Seat) -> NextCase:
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
