"""People on their way by a provider of identities: each state is good once, for a while, in one browser."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.orm import Session

from shared.ledger.people.sessions import digest
from shared.ledger.tables import OidcStateRow

NOW = func.clock_timestamp()
GOOD_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class OidcState:
    """What the provider's answer has to fit: its token's nonce, and the verifier that its code is exchanged with."""

    nonce: str
    verifier: str


class OidcStates:
    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, state: str, browser: str, arrival: OidcState) -> None:
        self._session.execute(delete(OidcStateRow).where(OidcStateRow.expires_at < NOW))
        row = OidcStateRow(
            state_sha256=digest(state), browser_sha256=digest(browser), **vars(arrival)
        )
        row.expires_at = NOW + GOOD_FOR
        self._session.add(row)

    def finish(self, state: str, browser: str) -> OidcState | None:
        """None if this browser has not set out with this state, or has come back before."""
        mine = (
            OidcStateRow.state_sha256 == digest(state),
            OidcStateRow.browser_sha256 == digest(browser),
        )
        taken = delete(OidcStateRow).where(*mine, OidcStateRow.expires_at > NOW)
        row = self._session.execute(
            taken.returning(OidcStateRow.nonce, OidcStateRow.verifier)
        ).first()
        return row and OidcState(*row)
