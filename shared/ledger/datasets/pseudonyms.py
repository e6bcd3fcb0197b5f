"""Pseudonyms of patients: keyed hashes of their numbers, the same in all datasets.

Hospitals' numbers are short. Without a secret key anybody could hash every possible number.
"""

import hashlib
import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.identity import identity_key
from shared.ledger.tables import SecretRow

SECRET_NAME = "pseudonyms"
SECRET_BYTES = 32
PSEUDONYM_LETTERS = 32
"""128 bits, so that no two patients share a pseudonym by chance."""


class Pseudonyms:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._secret: bytes | None = None

    def pseudonymise(self, number: str | None) -> str | None:
        """The pseudonym of a hospital's number for a patient; None for an empty number.

        All spellings of a number have one pseudonym. It identifies a patient only together with
        the site.
        """
        key = identity_key(number or "")
        if not key:
            return None
        digest = hmac.new(self._key(), key.encode(), hashlib.sha256)
        return digest.hexdigest()[:PSEUDONYM_LETTERS]

    def derive_key(self, purpose: str) -> bytes:
        """A key of this installation for another purpose. It does not reveal the secret itself."""
        message = f"key for {purpose}".encode()
        return hmac.new(self._key(), message, hashlib.sha256).digest()

    def _key(self) -> bytes:
        if self._secret is None:
            statement = insert(SecretRow).values(
                name=SECRET_NAME, value=secrets.token_bytes(SECRET_BYTES)
            )
            self._session.execute(statement.on_conflict_do_nothing())
            query = select(SecretRow.value).where(SecretRow.name == SECRET_NAME)
            self._secret = self._session.scalars(query).one()
        return self._secret
