"""Collects the facts of a printed report in one read, and records the printing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID

from services.api.cases.assessment import ReaderAssessment, assess_descriptors
from services.api.dependencies import Dependencies
from services.api.locales import Language
from services.api.reports.picture import Pixels, printable
from shared.domain.audit.events import Event
from shared.domain.jobs import JobState
from shared.domain.results.result import Result
from shared.domain.results.statement import SYNTHETIC_MODEL, Statement, statement_of
from shared.errors import Conflict, NotFound
from shared.ledger import HospitalSession
from shared.ledger.cases.outcomes import Outcome
from shared.ledger.cases.reader_levels import ReaderLevel
from shared.ledger.cases.repository import Case
from shared.ledger.hospitals.repository import Caller
from shared.ledger.jobs.repository import Job


class NothingToPrint(Conflict):
    code = "nothing-to-print"
    text = (
        "The case has no result to print: its job is {state}. Print it once that is done, or "
        "send the case again."
    )


@dataclass(frozen=True)
class PrintRecord:
    """Who requested the report, and when. `person` is a name, or None if a key requested it."""

    person: str | None
    key: str
    printed_at: datetime


@dataclass(frozen=True)
class Report:
    hospital: str
    case: Case
    result: Result
    read_at: datetime
    outcome: Outcome | None
    printed: PrintRecord
    language: Language
    zone: tzinfo = UTC
    reader_levels: tuple[ReaderLevel, ...] = ()
    """Levels that people entered before SERA's answer was shown to them."""
    picture: Pixels | None = None
    """(height, width) uint8, grey; None if the image can no longer be read."""

    @property
    def roi(self) -> dict[str, Any] | None:
        """The submitted ROI, or else the region that was found."""
        if self.case.roi:
            return self.case.roi
        roi = self.result.roi
        return {"box": roi.box} if roi else None

    @property
    def drawn_roi(self) -> Mapping[str, Any] | None:
        """The outline that was read, as an ROI; the ROI itself if none was drawn for reading."""
        read = self.result.roi
        return {"polygon": read.polygon} if read and read.polygon else self.roi

    @property
    def is_synthetic(self) -> bool:
        """Whether the model was trained on phantoms only."""
        return self.result.warns(SYNTHETIC_MODEL)

    @property
    def statement(self) -> Statement:
        """What the result says."""
        return statement_of(self.result)

    @property
    def reader_assessment(self) -> ReaderAssessment | None:
        """The assessment by guidelines from the reader's descriptors; None without descriptors."""
        return assess_descriptors(self.case.descriptors, self.case.size_mm)


def gather(
    session: HospitalSession,
    caller: Caller,
    dependencies: Dependencies,
    *,
    case_id: UUID,
    language: Language,
    zone: tzinfo,
) -> Report:
    """Collect the facts of a report. The request's transaction ends before the image is loaded.

    Raises NotFound, CaseErased, OwnLevelMissing, NothingToPrint.
    """
    case = session.cases.find(case_id)
    if case is None:
        raise NotFound(thing="case")
    session.reader_levels.check_shown(caller.person, case_id)
    job = session.jobs.find(session.cases.job_ids(case_id)[-1])
    if job is None:
        raise NotFound(thing="job")
    result = _result(job)
    outcome = session.outcomes.latest(case_id)
    reader_levels = tuple(session.reader_levels.of_case(case_id))
    dependencies.read_audit.record_reads(
        session=session,
        caller=caller,
        event=Event.RESULT_READ,
        subjects=[(case_id, job.id)],
    )
    session.audit.record(Event.REPORT_PRINTED, case=case_id, job=job.id)
    hospital = session.observations.hospitals()[session.hospital_id]
    person = session.people.find(caller.person).name if caller.person else None
    session.transaction.commit()
    printed_at = datetime.now(UTC).replace(microsecond=0)
    return Report(
        hospital=hospital,
        case=case,
        result=result,
        read_at=job.updated_at,
        outcome=outcome,
        printed=PrintRecord(
            person=person, key=caller.credential, printed_at=printed_at
        ),
        language=language,
        zone=zone,
        reader_levels=reader_levels,
        picture=printable(dependencies, case, session.hospital_id),
    )


def _result(job: Job) -> Result:
    if job.state is not JobState.DONE or job.result is None:
        raise NothingToPrint(state=job.state)
    return job.result
