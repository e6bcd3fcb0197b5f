"""Whether a worker has anything to do."""

from sqlalchemy import Double, case, cast, func, literal_column, or_, select
from sqlalchemy.orm import Session

from shared.ledger.tables import JobRow

NOW = func.clock_timestamp()


class Liveness:
    def __init__(self, session: Session) -> None:
        self._session = session

    def waited_s(self, worker: str | None = None) -> float:
        """Seconds that the longest waiting job has waited: one that could be claimed, or whose lease ran out; else 0.

        Of a worker also what it holds itself.
        """
        queued = JobRow.state == literal_column("'queued'")
        running = JobRow.state == literal_column("'running'")
        lapsed = JobRow.lease_until < NOW
        since = case(
            (queued, JobRow.available_at),
            (JobRow.worker == worker, JobRow.updated_at),
            else_=JobRow.lease_until,
        )
        its = or_(
            queued & (JobRow.available_at < NOW),
            running & (lapsed | (JobRow.worker == worker)),
        )
        waited = cast(func.extract("epoch", NOW - func.min(since)), Double)
        return self._session.scalar(select(waited).where(its)) or 0.0
