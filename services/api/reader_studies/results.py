"""From the ledger to an analysis, and to a table of readings by the readers' numbers."""

import csv
from io import StringIO
from uuid import UUID

from services.api.dependencies import Wiring
from services.api.reader_studies.analysis import Analyst, Material
from services.api.reader_studies.figures import Analysis
from shared.ledger.hospitals import Caller
from shared.ledger.readings import Reading, Studied

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


class ResultsDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def analysis(self, study: UUID) -> Analysis:
        return Analyst(self.material(study)).analysis()

    def table(self, study: UUID) -> str:
        """CSV, one line for each reading of a kept case."""
        given = self.material(study)
        truth = {each.case_id: each for each in given.cases}
        text = StringIO()
        writer = csv.writer(text)
        writer.writerow(HEAD)
        for each in given.readings:
            place = (each.reader, each.case_id)
            looked = (place in given.breaches, place in given.seen_before)
            writer.writerow(_line(each, truth[each.case_id], *looked))
        return text.getvalue()

    def material(self, study: UUID) -> Material:
        """Raises StudyUnknown."""
        with self._wired.ledger.hospital_session(self._who.hospital_id, self._who.actor) as session:
            session.reader_studies.find(study)
            return Material(
                session.readings.studied(study),
                session.reader_studies.counts(study)["erased"],
                [each.number for each in session.reader_studies.progress(study)],
                session.readings.all(study),
                session.readings.breaches(study),
                session.readings.seen_before(study),
            )


def _line(reading: Reading, case: Studied, breach: bool, before: bool) -> list[object]:
    said = [
        reading.reader,
        reading.case_id,
        reading.phase,
        reading.probability,
        reading.malignant,
        reading.fna,
    ]
    sera = [case.malignant, case.result.score, case.result.risk, case.result.decision]
    when = [reading.shown_at.isoformat(), reading.sent_at.isoformat(), reading.server_ms]
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
