"""What a patient's number is kept as: a keyed hash, the same in every dataset of this installation."""

import hashlib
import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.ledger.tables import SecretRow

SECRET = "pseudonyms"
SECRET_BYTES = 32
LETTERS = 32
"""128 bits: no two patients share a pseudonym by chance."""


class Pseudonyms:
    """Hospitals' numbers are short, so without the key every one of them could be tried."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._secret: bytes | None = None

    def pseudonymise(self, number: str | None) -> str | None:
        """The pseudonym of a hospital's number for a patient; it means a person only together with the site."""
        told = (number or "").strip()
        return (
            hmac.new(self._key(), told.encode(), hashlib.sha256).hexdigest()[:LETTERS]
            if told
            else None
        )

    def derive_key(self, purpose: str) -> bytes:
        """A key of this installation for something else, from which the secret itself cannot be had."""
        return hmac.new(
            self._key(), f"key for {purpose}".encode(), hashlib.sha256
        ).digest()

    def _key(self) -> bytes:
        if self._secret is None:
            drawn = insert(SecretRow).values(
                name=SECRET, value=secrets.token_bytes(SECRET_BYTES)
            )
            self._session.execute(drawn.on_conflict_do_nothing())
            self._secret = self._session.scalars(
                select(SecretRow.value).where(SecretRow.name == SECRET)
            ).one()
        return self._secret
