"""People on their way by a provider of identities: each state is good once, for a while, in one browser."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.orm import Session

from shared.ledger.people.sessions import digest
from shared.ledger.tables import ArrivalRow

NOW = func.clock_timestamp()
GOOD_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class Arrival:
    """What the provider's answer has to fit: its token's nonce, and the verifier that its code is exchanged with."""

    nonce: str
    verifier: str


class Arrivals:
    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, state: str, browser: str, arrival: Arrival) -> None:
        self._session.execute(delete(ArrivalRow).where(ArrivalRow.expires_at < NOW))
        row = ArrivalRow(
            state_sha256=digest(state), browser_sha256=digest(browser), **vars(arrival)
        )
        row.expires_at = NOW + GOOD_FOR
        self._session.add(row)

    def finish(self, state: str, browser: str) -> Arrival | None:
        """None if this browser has not set out with this state, or has come back before."""
        mine = (
            ArrivalRow.state_sha256 == digest(state),
            ArrivalRow.browser_sha256 == digest(browser),
        )
        taken = delete(ArrivalRow).where(*mine, ArrivalRow.expires_at > NOW)
        row = self._session.execute(
            taken.returning(ArrivalRow.nonce, ArrivalRow.verifier)
        ).first()
        return row and Arrival(*row)
