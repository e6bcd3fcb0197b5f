"""Measures how long jobs wait, which shows whether the workers are alive."""

from sqlalchemy import Double, case, cast, func, literal_column, or_, select
from sqlalchemy.orm import Session

from shared.ledger.tables import JobRow

NOW = func.clock_timestamp()


class Liveness:
    def __init__(self, session: Session) -> None:
        self._session = session

    def longest_wait_s(self, worker: str | None = None) -> float:
        """Return the seconds that the longest waiting job has waited; 0 if none waits.

        A job waits if it could be claimed, or if its lease ran out. With a worker's name, the jobs
        that it holds itself count as well.
        """
        is_queued = JobRow.state == literal_column("'queued'")
        is_running = JobRow.state == literal_column("'running'")
        is_expired = JobRow.lease_until < NOW
        waiting_since = case(
            (is_queued, JobRow.available_at),
            (JobRow.worker == worker, JobRow.updated_at),
            else_=JobRow.lease_until,
        )
        is_waiting = or_(
            is_queued & (JobRow.available_at < NOW),
            is_running & (is_expired | (JobRow.worker == worker)),
        )
        waited_s = cast(func.extract("epoch", NOW - func.min(waiting_since)), Double)
        return self._session.scalar(select(waited_s).where(is_waiting)) or 0.0
