"""From the ledger to an analysis, and to a table of readings by the readers' numbers."""

import csv
from io import StringIO
from uuid import UUID

from services.api.reader_studies.analysis import StudyAnalysis, StudyData
from services.api.reader_studies.figures import Analysis
from shared.ledger import HospitalSession
from shared.ledger.reader_studies.readings import Reading, StudyCase

HEAD = (
    "reader",
    "case",
    "phase",
    "probability",
    "malignant",
    "fna",
    "outcome_malignant",
    "sera_score",
    "sera_risk",
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
    def __init__(self, session: HospitalSession) -> None:
        self._session = session

    def analysis(self, study: UUID) -> Analysis:
        return StudyAnalysis(self.study_data(study)).analyse()

    def table(self, study: UUID) -> str:
        """CSV, one line for each reading of a kept case."""
        given = self.study_data(study)
        truth = {each.case_id: each for each in given.cases}
        text = StringIO()
        writer = csv.writer(text)
        writer.writerow(HEAD)
        for each in given.readings:
            place = (each.reader, each.case_id)
            looked = (place in given.breaches, place in given.seen_before)
            writer.writerow(_line(each, truth[each.case_id], *looked))
        return text.getvalue()

    def study_data(self, study: UUID) -> StudyData:
        """Raises StudyUnknown."""
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


def _line(reading: Reading, case: StudyCase, breach: bool, before: bool) -> list[object]:
    said = [
        reading.reader,
        reading.case_id,
        reading.phase,
        reading.probability,
        reading.malignant,
        reading.fna,
    ]
    sera = [case.malignant, case.result.score, case.result.risk, case.result.decision]
    when = [
        reading.shown_at.isoformat(),
        reading.sent_at.isoformat(),
        reading.server_ms,
    ]
    return [
        *said,
        *sera,
        *when,
        reading.seen_ms,
        reading.hidden_ms,
        reading.showings,
        breach,
        before,
    ]
