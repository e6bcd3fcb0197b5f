"""Sessions of people who signed in: the browser has a random token, the database its hash."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.ledger.audit.repository import ORIGIN, AuditEntry, AuditTrail
from shared.ledger.hospitals.repository import Caller
from shared.ledger.tables import PersonRow, SessionRow

TOKEN_BYTES = 32
NOW = func.clock_timestamp()
USE_NOTED_EVERY = timedelta(minutes=1)
CLOCK_TOLERANCE = timedelta(minutes=1)
RETENTION = timedelta(days=7)
"""How long the row of an expired session is kept."""


IS_VALID: ColumnElement[bool] = and_(
    SessionRow.revoked_at.is_(None),
    SessionRow.expires_at > NOW,
    SessionRow.generation == PersonRow.generation,
    PersonRow.disabled_at.is_(None),
)
IS_NOT_IDLE: ColumnElement[bool] = and_(
    SessionRow.idle_at > NOW, SessionRow.seen_at <= NOW + CLOCK_TOLERANCE
)
"""If the clock was set back since the last use, nobody knows how long ago that was."""


@dataclass(frozen=True)
class Lifetime:
    """The idle time after which a session ends, and its maximum age."""

    idle: timedelta
    max_age: timedelta


@dataclass(frozen=True)
class SignedInCaller:
    """The caller of a session, and the latest time at which the session expires."""

    caller: Caller
    must_change: bool
    expires_at: datetime


class Sessions:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def create(self, person: UUID, lifetime: Lifetime) -> str:
        """Create a session, and return its token, which is not stored."""
        self._session.execute(
            delete(SessionRow).where(SessionRow.expires_at < NOW - RETENTION)
        )
        token = secrets.token_urlsafe(TOKEN_BYTES)
        generation = (
            select(PersonRow.generation).where(PersonRow.id == person).scalar_subquery()
        )
        row = SessionRow(
            token_sha256=hash_token(token),
            person_id=person,
            generation=generation,
            origin=ORIGIN.get(),
        )
        row.idle_at = NOW + lifetime.idle
        row.expires_at = NOW + lifetime.max_age
        self._session.add(row)
        self._session.flush()
        return token

    def verify(self, token: str, lifetime: Lifetime) -> SignedInCaller | None:
        """The caller of this token; None if its session is unknown or has ended."""
        is_use_due = SessionRow.seen_at < NOW - USE_NOTED_EVERY
        query = (
            select(
                SessionRow,
                PersonRow.role,
                PersonRow.hospital_id,
                PersonRow.must_change,
                is_use_due.label("is_use_due"),
            )
            .join(PersonRow, PersonRow.id == SessionRow.person_id)
            .where(SessionRow.token_sha256 == hash_token(token), IS_VALID, IS_NOT_IDLE)
        )
        row = self._session.execute(query).first()
        if row is None:
            return None
        session_row = row.SessionRow
        if row.is_use_due:
            self._note_use(session_row.token_sha256, lifetime.idle)
        caller = Caller(
            credential=session_row.token_sha256,
            role=Role(row.role),
            hospital_id=row.hospital_id,
            person=session_row.person_id,
        )
        return SignedInCaller(
            caller=caller,
            must_change=row.must_change,
            expires_at=session_row.expires_at,
        )

    def is_active(self, token_sha256: str) -> bool:
        """Whether a session has not ended.

        A long response that is being sent counts as use of the session.
        """
        query = (
            select(SessionRow.person_id)
            .join(PersonRow, PersonRow.id == SessionRow.person_id)
            .where(SessionRow.token_sha256 == token_sha256, IS_VALID)
        )
        return self._session.scalar(query) is not None

    def end(self, token_sha256: str) -> None:
        """Sign out."""
        statement = (
            update(SessionRow)
            .where(
                SessionRow.token_sha256 == token_sha256, SessionRow.revoked_at.is_(None)
            )
            .values(revoked_at=NOW)
            .returning(SessionRow.person_id)
        )
        person = self._session.scalar(statement)
        if person is None:
            return
        query = select(PersonRow.hospital_id).where(PersonRow.id == person)
        entry = AuditEntry(
            event=Event.PERSON_SIGNED_OUT,
            hospital_id=self._session.scalar(query),
            details={"person": str(person)},
        )
        self._audit.record_all([entry])

    def _note_use(self, token_sha256: str, idle: timedelta) -> None:
        """Note that a session was used. If another transaction notes it too, one note is enough."""
        unlocked = (
            select(SessionRow.token_sha256)
            .where(SessionRow.token_sha256 == token_sha256)
            .with_for_update(skip_locked=True)
        )
        statement = (
            update(SessionRow)
            .where(SessionRow.token_sha256.in_(unlocked.scalar_subquery()))
            .values(seen_at=NOW, idle_at=NOW + idle)
        )
        self._session.execute(statement.execution_options(synchronize_session=False))


def hash_token(token: str) -> str:
    # The token has 256 random bits, so one round of SHA-256 cannot be guessed back.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
