"""What a report tells, gathered in one reading and put on record as printed."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID

from services.api.cases.assessment import ReaderAssessment, assessed
from services.api.dependencies import Wiring
from services.api.languages import Language
from services.api.reports.picture import Pixels, printable
from shared.domain.events import Event
from shared.domain.jobs import JobState
from shared.domain.result import Result
from shared.errors import Conflict, NotFound
from shared.ledger.cases import Case
from shared.ledger.hospitals import Caller
from shared.ledger.jobs import Job
from shared.ledger.outcomes import Outcome

SYNTHETIC = "synthetic-model"


class NothingToPrint(Conflict):
    code = "nothing-to-print"
    text = "The case has no result to print: its job is {state}. Print it once that is done, or send the case again."


@dataclass(frozen=True)
class Printed:
    """Who asked for the report, and when; `person` is a name, or None where a key asked."""

    person: str | None
    key: str
    at: datetime


@dataclass(frozen=True)
class Report:
    hospital: str
    case: Case
    result: Result
    read_at: datetime
    outcome: Outcome | None
    printed: Printed
    language: Language
    zone: tzinfo = UTC
    picture: Pixels | None = None
    """(height, width) grey; None where it can be read no more."""

    @property
    def roi(self) -> dict[str, Any] | None:
        """What was given, else what caliper marks enclose."""
        if self.case.roi:
            return self.case.roi
        found = self.result.roi
        return {"box": found.box} if found else None

    @property
    def synthetic(self) -> bool:
        """Whether the model has seen phantoms only."""
        return self.result.warns(SYNTHETIC)

    @property
    def own(self) -> ReaderAssessment | None:
        """What the guidelines make of the reader's description; None where there is none."""
        return assessed(self.case.descriptors, self.case.size_mm)


def gather(wired: Wiring, who: Caller, case_id: UUID, language: Language, zone: tzinfo) -> Report:
    """Raises NotFound, CaseErased, NothingToPrint."""
    with wired.ledger.hospital_session(who.hospital_id, who.actor) as hospital_session:
        case = hospital_session.cases.find(case_id)
        if case is None:
            raise NotFound(thing="case")
        job, outcome = (
            hospital_session.jobs.find(hospital_session.cases.jobs_of(case_id)[-1]),
            hospital_session.outcomes.latest(case_id),
        )
        result = _result(job)
        hospital_session.audit.record(Event.REPORT_PRINTED, case=case_id, job=job.id)
    with wired.ledger.system_session(who.actor) as system_session:
        hospital = system_session.hospitals.read(who.hospital_id).name
        person = system_session.people.find(who.person).name if who.person else None
    printed = Printed(person, who.credential, datetime.now(UTC).replace(microsecond=0))
    return Report(
        hospital,
        case,
        result,
        job.updated_at,
        outcome,
        printed,
        language,
        zone,
        printable(wired, case),
    )


def _result(job: Job) -> Result:
    if job.state is not JobState.DONE or job.result is None:
        raise NothingToPrint(state=job.state)
    return job.result
