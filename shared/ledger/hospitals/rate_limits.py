"""Limits how much a hospital sends: a token bucket for its rate, and a quota of unfinished jobs."""

from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Double,
    ScalarSelect,
    SQLColumnExpression,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from shared.domain.burnt_in_text import TextPolicy
from shared.ledger.hospitals.text_policy import text_policy
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import HospitalRow, JobRow, RateLimitRow

NOW = func.clock_timestamp()


@dataclass(frozen=True)
class RateLimit:
    """A hospital's limits: its own if they are set, otherwise the installation's."""

    per_minute: int
    quota: int


@dataclass(frozen=True)
class RateLimitStatus:
    """A hospital's limits, its queued and running jobs, and the tokens in its bucket.

    `text_policy` is no limit: it stands here so that one query reads all that a submission needs.
    """

    limits: RateLimit
    inflight: int
    tokens: float
    text_policy: TextPolicy


class RateLimits(HospitalRepository):
    """One hospital's token bucket: it holds the tokens of one minute and fills at the hospital's
    rate.

    The bucket is a row in the database, so that all API processes share it and a restart does not
    reset it.
    """

    def status(self, defaults: RateLimit) -> RateLimitStatus:
        """Read in one query all that a decision needs. An unused bucket is full."""
        per_minute = func.coalesce(HospitalRow.rate_per_minute, defaults.per_minute)
        query = (
            select(
                per_minute,
                func.coalesce(HospitalRow.inflight_quota, defaults.quota),
                self._count_jobs("'queued'") + self._count_jobs("'running'"),
                func.coalesce(_level(per_minute), per_minute),
                HospitalRow.blank_text,
            )
            .outerjoin(RateLimitRow, RateLimitRow.hospital_id == HospitalRow.id)
            .where(HospitalRow.id == self._hospital)
        )
        rate, quota, inflight, tokens, setting = self._session.execute(query).one()
        return RateLimitStatus(
            limits=RateLimit(per_minute=rate, quota=quota),
            inflight=inflight,
            tokens=float(tokens),
            text_policy=text_policy(setting),
        )

    def take(self, per_minute: int, spare: float) -> bool:
        """Take a token; False if fewer than `spare` tokens would be left."""
        if per_minute - 1 < spare:
            return False
        remaining = _level(per_minute) - 1
        first_use = insert(RateLimitRow).values(
            hospital_id=self._hospital, tokens=per_minute - 1
        )
        statement = first_use.on_conflict_do_update(
            index_elements=[RateLimitRow.hospital_id],
            set_={"tokens": remaining, "filled_at": NOW},
            where=remaining >= spare,
        )
        tokens = self._session.scalar(statement.returning(RateLimitRow.tokens))
        return tokens is not None

    def _count_jobs(self, state: str) -> ScalarSelect[int]:
        return (
            self._restrict_to_hospital(select(func.count()), JobRow)
            .where(JobRow.state == text(state))
            .scalar_subquery()
        )


def _level(per_minute: SQLColumnExpression[int] | int) -> ColumnElement[float]:
    """SQL for the tokens in the bucket now."""
    # If the clock is set back, the bucket fills, because the hospital must not be locked out.
    age_s = func.abs(cast(func.extract("epoch", NOW - RateLimitRow.filled_at), Double))
    return func.least(RateLimitRow.tokens + age_s * per_minute / 60.0, per_minute)
