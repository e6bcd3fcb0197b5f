"""States of OpenID Connect: sign-ins that are in progress at an identity provider.

Each state is valid once, for a limited time, in one browser.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.orm import Session

from shared.ledger.people.sessions import hash_token
from shared.ledger.tables import OidcStateRow

NOW = func.clock_timestamp()
STATE_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True)
class OidcState:
    """The nonce that the provider's token must have, and the PKCE verifier of its code."""

    nonce: str
    verifier: str


class OidcStates:
    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, state: str, browser: str, oidc_state: OidcState) -> None:
        """Store a state, and delete expired ones."""
        self._session.execute(delete(OidcStateRow).where(OidcStateRow.expires_at < NOW))
        row = OidcStateRow(
            state_sha256=hash_token(state),
            browser_sha256=hash_token(browser),
            nonce=oidc_state.nonce,
            verifier=oidc_state.verifier,
        )
        row.expires_at = NOW + STATE_LIFETIME
        self._session.add(row)

    def finish(self, state: str, browser: str) -> OidcState | None:
        """Return a state and delete it; None if this browser did not begin it, or has used it
        before.
        """
        statement = (
            delete(OidcStateRow)
            .where(
                OidcStateRow.state_sha256 == hash_token(state),
                OidcStateRow.browser_sha256 == hash_token(browser),
                OidcStateRow.expires_at > NOW,
            )
            .returning(OidcStateRow.nonce, OidcStateRow.verifier)
        )
        row = self._session.execute(statement).first()
        if row is None:
            return None
        return OidcState(nonce=row.nonce, verifier=row.verifier)
