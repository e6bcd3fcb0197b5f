"""Guides a reader through a study: shows the next case, stores the reading, and only then shows
SERA's result.
"""

from uuid import UUID

from fastapi import Response

from services.api.cases.picture import case_png_response
from services.api.dependencies import Dependencies
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


class ReadingService:
    """The readings of one person in one study. An API key cannot be a reader of a study."""

    def __init__(
        self,
        session: HospitalSession,
        caller: Caller,
        dependencies: Dependencies,
        study: UUID,
    ) -> None:
        self._session = session
        self._caller = caller
        self._dependencies = dependencies
        self._study = study

    def next(self) -> NextCase:
        """Return the next case in this reader's order. Each case is shown twice: first for the
        blind reading, later for the aided reading.
        """
        reader = self._reader()
        readings = self._session.readings.of_reader(reader)
        unfinished = [
            case_id
            for case_id in reader.order
            if (case_id, Phase.AIDED) not in readings
        ]
        if not unfinished:
            return _no_next_case(reader)
        case_id = unfinished[0]
        phase = Phase.AIDED
        if (case_id, Phase.BLIND) not in readings:
            phase = Phase.BLIND
            self._session.readings.record_showing(reader, case_id, phase)
        case = self._session.readings.case(reader, case_id)
        return NextCase(
            phase=phase,
            case_id=case.id,
            image=self._image_path(case.id),
            width=case.width,
            height=case.height,
            size_mm=case.size_mm,
            done=len(reader.order) - len(unfinished),
            cases=len(reader.order),
        )

    def image(self, case_id: UUID) -> Response:
        """Return the image of a case. The transaction ends before the image is loaded and
        decoded.
        """
        case = self._session.readings.case(self._reader(), case_id)
        self._session.transaction.commit()
        return case_png_response(self._dependencies, case, self._session.hospital_id)

    def store(self, new: NewReadingView) -> OwnReading:
        reader = self._reader()
        self._session.readings.case(reader, new.case_id)
        reading = NewReading(**new.model_dump(exclude={"case_id"}))
        stored = self._session.readings.store(reader, new.case_id, reading)
        return own_reading(stored)

    def aided(self, case_id: UUID) -> AidedView:
        """Return SERA's result for a case that this reader has read blind."""
        readings = self._session.readings
        reader = self._reader()
        case = readings.case(reader, case_id)
        answer = readings.sera_result(reader, case_id)
        blind = own_reading(readings.of_reader(reader)[case_id, Phase.BLIND])
        readings.record_showing(reader, case_id, Phase.AIDED)
        self._dependencies.read_audit.record_reads(
            session=self._session,
            caller=self._caller,
            event=Event.RESULT_READ,
            subjects=[(case_id, answer.job_id)],
        )
        return AidedView(
            case_id=case_id,
            image=self._image_path(case_id),
            size_mm=case.size_mm,
            blind=blind,
            sera=answer.result,
        )

    def _reader(self) -> StudyReader:
        return self._session.readings.find_reader(self._study, self._caller.person)

    def _image_path(self, case_id: UUID) -> str:
        return f"/v1/reader-studies/{self._study}/cases/{case_id}/image.png"


def own_reading(reading: Reading) -> OwnReading:
    return OwnReading(
        **{name: getattr(reading, name) for name in OwnReading.model_fields}
    )


def _no_next_case(reader: StudyReader) -> NextCase:
    return NextCase(
        phase=None,
        case_id=None,
        image=None,
        width=None,
        height=None,
        size_mm=None,
        done=len(reader.order),
        cases=len(reader.order),
    )
