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
        that it holds count as well, from their claim: a worker that hangs renews its leases and
        finishes nothing.
        """
        # Literals, so that PostgreSQL can use the partial indexes on these states.
        is_queued = JobRow.state == literal_column("'queued'")
        is_running = JobRow.state == literal_column("'running'")
        is_expired = JobRow.lease_until < NOW
        is_held = is_running & (JobRow.worker == (worker or ""))
        waiting_since = case(
            (is_queued, JobRow.available_at),
            (is_held, JobRow.updated_at),
            else_=JobRow.lease_until,
        )
        is_waiting = or_(
            is_queued & (JobRow.available_at < NOW),
            is_running & is_expired,
            is_held,
        )
        waited_s = cast(func.extract("epoch", NOW - func.min(waiting_since)), Double)
        return self._session.scalar(select(waited_s).where(is_waiting)) or 0.0
