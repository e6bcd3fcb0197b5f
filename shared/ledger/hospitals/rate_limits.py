"""What a hospital may still send: tokens of its rate, and its cases that are not yet answered."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Double, ScalarSelect, cast, func, select, text
from sqlalchemy.dialects.postgresql import insert

from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import HospitalRow, JobRow, RateLimitRow

NOW = func.clock_timestamp()


@dataclass(frozen=True)
class RateLimit:
    """What holds for a hospital: its own where it has them, else the installation's."""

    per_minute: int
    quota: int


@dataclass(frozen=True)
class RateLimitStatus:
    """How a hospital stands now: its limits, its jobs that wait or run, the tokens it could take."""

    limits: RateLimit
    inflight: int
    tokens: float


class RateLimits(HospitalRepository):
    """One hospital's token bucket: it holds a minute's worth and fills at the hospital's rate.

    The bucket is a row, so that every API process draws from the same one, and it outlives them.
    """

    def status(self, defaults: RateLimit) -> RateLimitStatus:
        """All that a decision needs, in one query; a bucket that nothing was ever taken from is full."""
        per_minute = func.coalesce(HospitalRow.rate_per_minute, defaults.per_minute)
        query = (
            select(
                per_minute,
                func.coalesce(HospitalRow.inflight_quota, defaults.quota),
                self._jobs("'queued'") + self._jobs("'running'"),
                func.coalesce(_level(per_minute), per_minute),
            )
            .outerjoin(RateLimitRow, RateLimitRow.hospital_id == HospitalRow.id)
            .where(HospitalRow.id == self._hospital)
        )
        rate, quota, inflight, tokens = self._session.execute(query).one()
        return RateLimitStatus(RateLimit(rate, quota), inflight, float(tokens))

    def take(self, per_minute: int, spare: float) -> bool:
        """Take a token unless fewer than `spare` would be left."""
        if per_minute - 1 < spare:
            return False
        left = _level(per_minute) - 1
        first = insert(RateLimitRow).values(
            hospital_id=self._hospital, tokens=per_minute - 1
        )
        taken = first.on_conflict_do_update(
            index_elements=[RateLimitRow.hospital_id],
            set_={"tokens": left, "filled_at": NOW},
            where=left >= spare,
        )
        return self._session.scalar(taken.returning(RateLimitRow.tokens)) is not None

    def _jobs(self, state: str) -> ScalarSelect[int]:
        return (
            self._restrict_to_hospital(select(func.count()), JobRow)
            .where(JobRow.state == text(state))
            .scalar_subquery()
        )


def _level(per_minute: Any) -> ColumnElement[float]:
    # A clock that was set back fills the bucket rather than locking the hospital out.
    away_s = func.abs(cast(func.extract("epoch", NOW - RateLimitRow.filled_at), Double))
    return func.least(RateLimitRow.tokens + away_s * per_minute / 60.0, per_minute)
