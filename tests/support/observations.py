"""Builds what monitoring reads: results, failures, outcomes and models, many at once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, update

from shared.domain.jobs import JobState
from shared.ledger import Ledger
from shared.ledger.monitoring.observations import Observation
from shared.ledger.tables import CaseRow, JobRow, ModelRow, ObservationRow, OutcomeRow
from tests.support.builders import CASE

MODEL = "a" * 64
PLAIN: dict[str, Any] = {
    "model_digest": MODEL,
    "score": 0.6,
    "risk": 0.5,
    "decision": "malignant",
    "cutoff": 0.45,
    "strangeness": None,
    "embedding": None,
    "benign_p": None,
    "malignant_p": None,
    "warnings": (),
}


class Observing:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._owner = {}

    def hospital(self, name: str) -> UUID:
        with self._ledger.system_session("test") as session:
            return session.hospitals.ensure(name)

    def result(self, hospital: str = "north", **fields: Any) -> UUID:
        """A case with its observation, and its outcome if `malignant` is said; returns the case's
        id.
        """
        return self.results(1, hospital, **fields)[0]

    def results(
        self,
        count: int,
        hospital: str = "north",
        device: str | None = None,
        days_ago: int = 0,
        **fields: Any,
    ) -> list[UUID]:
        """What is given as a list or array has one value for each case."""
        owner = self.hospital(hospital)
        pairs = self._cases(count, hospital, device)
        rows = [
            {name: _nth(value, number) for name, value in fields.items()}
            for number in range(count)
        ]
        outcomes = [row.pop("malignant", None) for row in rows]
        ids = [
            {"case_id": case, "job_id": job, "hospital_id": owner, "device": device}
            for case, job in pairs
        ]
        with self._ledger.system_session("test") as session:
            session.observations.record(
                [
                    Observation(**job, **PLAIN | row)
                    for job, row in zip(ids, rows, strict=True)
                ]
            )
        if days_ago:
            jobs = [job for _, job in pairs]
            self._run(
                update(ObservationRow)
                .where(ObservationRow.job_id.in_(jobs))
                .values(created_at=_ago(days_ago))
            )
        cases = [case for case, _ in pairs]
        self._outcomes(
            [
                (case, bool(malignant))
                for case, malignant in zip(cases, outcomes, strict=True)
                if malignant is not None
            ]
        )
        return cases

    def failed(
        self, hospital: str, reason: str, device: str | None = None, days_ago: int = 0
    ) -> None:
        ((_, job),) = self._cases(1, hospital, device)
        moved = {
            "state": JobState.FAILED,
            "reason": reason,
            "created_at": _ago(days_ago),
        }
        self._run(update(JobRow).where(JobRow.id == job).values(**moved))

    def outcome(self, case: UUID, malignant: bool) -> None:
        self._outcomes([(case, malignant)])

    def model(
        self,
        digest: str = MODEL,
        reference: dict[str, Any] | None = None,
        **metrics: Any,
    ) -> None:
        """The next version of `light`."""
        with self._ledger.system_session("test") as session:
            session.models.store(
                digest=digest,
                name="light",
                recipe="light",
                run_id=None,
                synthetic=False,
                metrics=metrics,
            )
        self._run(
            update(ModelRow)
            .where(ModelRow.digest == digest)
            .values(reference=reference)
        )

    def _cases(
        self, count: int, hospital: str, device: str | None
    ) -> list[tuple[UUID, UUID]]:
        owner = self.hospital(hospital)
        pairs = [(uuid4(), uuid4()) for _ in range(count)]
        fields = vars(CASE) | {"device": device, "hospital_id": owner}
        self._run(insert(CaseRow).values([fields | {"id": case} for case, _ in pairs]))
        self._run(
            insert(JobRow).values(
                [
                    {"id": job, "case_id": case, "hospital_id": owner}
                    for case, job in pairs
                ]
            )
        )
        self._owner |= {case: owner for case, _ in pairs}
        return pairs

    def _outcomes(self, outcomes: list[tuple[UUID, bool]]) -> None:
        plain = {"source": "histology", "consent": True, "actor": "test"}
        rows = [
            plain
            | {
                "case_id": case,
                "hospital_id": self._owner[case],
                "malignant": malignant,
            }
            for case, malignant in outcomes
        ]
        if rows:
            self._run(insert(OutcomeRow).values(rows))

    def _run(self, statement: Any) -> None:
        with self._ledger.engine.begin() as connection:
            connection.execute(statement)


def _nth(value: Any, number: int) -> Any:
    return value[number] if isinstance(value, list) else value


def _ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
