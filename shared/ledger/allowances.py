"""What a hospital may still send: tokens of its rate, and its cases that are not yet answered."""

from dataclasses import dataclass

from sqlalchemy import Double, case, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert

from shared.ledger.scope import Scoped
from shared.ledger.tables import AllowanceRow, HospitalRow, JobRow

NOW = func.clock_timestamp()


@dataclass(frozen=True)
class Limits:
    """A hospital's own limits; None where the installation's hold."""

    rate_per_minute: int | None
    inflight_quota: int | None


class Allowance(Scoped):
    """One hospital's token bucket: it holds a minute's worth and fills at the hospital's rate.

    The bucket is a row, so that every API process draws from the same one, and it outlives them.
    """

    def limits(self) -> Limits:
        query = select(HospitalRow.rate_per_minute, HospitalRow.inflight_quota)
        return Limits(*self._session.execute(query.where(HospitalRow.id == self._hospital)).one())

    def tokens(self, per_minute: int) -> float:
        """Tokens in the bucket now; a full one if nothing was ever taken."""
        held = self._session.scalar(self._mine(select(_level(per_minute)), AllowanceRow))
        return float(per_minute) if held is None else held

    def take(self, per_minute: int, spare: float) -> bool:
        """Take a token unless fewer than `spare` would be left.

        A token is not worth a flush to the disk: a crash of the database may give some back.
        """
        self._session.execute(text("SET LOCAL synchronous_commit = off"))
        if per_minute - 1 < spare:
            return False
        left = _level(per_minute) - 1
        first = insert(AllowanceRow).values(hospital_id=self._hospital, tokens=per_minute - 1)
        taken = first.on_conflict_do_update(
            index_elements=[AllowanceRow.hospital_id], set_={"tokens": left, "filled_at": NOW}, where=left >= spare
        )
        return self._session.scalar(taken.returning(AllowanceRow.tokens)) is not None

    def inflight(self) -> int:
        """Jobs that wait or run."""
        counts = [
            self._mine(select(func.count()), JobRow).where(JobRow.state == text(state)).scalar_subquery()
            for state in ("'queued'", "'running'")
        ]
        return self._session.scalar(select(counts[0] + counts[1]))


def _level(per_minute: int):
    # A clock that was set back fills the bucket rather than locking the hospital out.
    away_s = func.abs(cast(func.extract("epoch", NOW - AllowanceRow.filled_at), Double))
    filled = AllowanceRow.tokens + away_s * (per_minute / 60)
    return case((filled > per_minute, literal(float(per_minute))), else_=filled)
