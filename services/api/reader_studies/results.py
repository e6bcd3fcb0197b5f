"""Reads a study from the ledger, for its analysis and for a CSV table of its readings."""

import csv
from io import StringIO
from uuid import UUID

from services.api.reader_studies.analysis import StudyAnalysis, StudyData
from services.api.reader_studies.figures import Analysis
from shared.domain.results.statement import statement_of
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller
from shared.ledger.reader_studies.readings import Reading, StudyCase

COLUMNS = (
    "reader",
    "case",
    "phase",
    "probability",
    "malignant",
    "fna",
    "outcome_malignant",
    "sera_score",
    "sera_risk",
    "sera_risk_low",
    "sera_risk_high",
    "sera_decision",
    "shown_at",
    "sent_at",
    "server_ms",
    "seen_ms",
    "hidden_ms",
    "showings",
    "breach",
    "seen_before",
)


class ResultsService:
    def __init__(self, session: HospitalSession, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def analysis(self, study: UUID) -> Analysis:
        return StudyAnalysis(self.study_data(study)).analyse()

    def table(self, study: UUID) -> str:
        """Return a CSV table with one row for each reading of a case that is not erased, without
        SERA's answers that are withheld from the caller.
        """
        data = self.study_data(study)
        cases = {case.case_id: case for case in data.cases}
        withheld = self._session.reader_levels.withheld(self._caller.person, cases)
        text = StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for reading in data.readings:
            key = (reading.reader, reading.case_id)
            row = _row(
                reading,
                cases[reading.case_id],
                breach=key in data.breaches,
                seen_before=key in data.seen_before,
                withheld=reading.case_id in withheld,
            )
            writer.writerow(row)
        return text.getvalue()

    def study_data(self, study: UUID) -> StudyData:
        """Return the data for the analysis. Raises StudyUnknown."""
        studies = self._session.reader_studies
        readings = self._session.readings
        studies.find(study)
        return StudyData(
            cases=readings.study_cases(study),
            erased=studies.counts(study)["erased"],
            readers=[progress.number for progress in studies.progress(study)],
            readings=readings.all(study),
            breaches=readings.breaches(study),
            seen_before=readings.previously_seen(study),
        )


def _row(
    reading: Reading,
    case: StudyCase,
    *,
    breach: bool,
    seen_before: bool,
    withheld: bool,
) -> list[object]:
    """Return the values of COLUMNS. A referred case has a score, but neither risk nor side."""
    statement = statement_of(case.result)
    answer = (
        case.result.score,
        statement.risk,
        *(statement.risk_interval or (None, None)),
        statement.side or case.result.decision,
    )
    return [
        reading.reader,
        reading.case_id,
        reading.phase,
        reading.probability,
        reading.malignant,
        reading.fna,
        case.malignant,
        *((None,) * len(answer) if withheld else answer),
        reading.shown_at.isoformat(),
        reading.sent_at.isoformat(),
        reading.server_ms,
        reading.seen_ms,
        reading.hidden_ms,
        reading.showings,
        breach,
        seen_before,
    ]
