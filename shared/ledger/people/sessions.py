"""Sessions of people who signed in: a random token in their browser, its hash here."""

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
KEPT = timedelta(days=7)
"""How long the row of an ended session stays."""


LIVES: ColumnElement[bool] = and_(
    SessionRow.revoked_at.is_(None),
    SessionRow.expires_at > NOW,
    SessionRow.generation == PersonRow.generation,
    PersonRow.disabled_at.is_(None),
)
UNUSED_NOT_LONG: ColumnElement[bool] = SessionRow.idle_at > NOW


@dataclass(frozen=True)
class Lifetime:
    """How long a session lasts unused, and at all."""

    idle: timedelta
    most: timedelta


@dataclass(frozen=True)
class SignedIn:
    """Whom a session speaks for, and until when at the latest."""

    caller: Caller
    must_change: bool
    expires_at: datetime


class Sessions:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def open(self, person: UUID, lifetime: Lifetime) -> str:
        """A new session of a person; the token returned is the only time that it is seen."""
        self._session.execute(
            delete(SessionRow).where(SessionRow.expires_at < NOW - KEPT)
        )
        token = secrets.token_urlsafe(TOKEN_BYTES)
        generation = (
            select(PersonRow.generation).where(PersonRow.id == person).scalar_subquery()
        )
        row = SessionRow(
            token_sha256=digest(token),
            person_id=person,
            generation=generation,
            origin=ORIGIN.get(),
        )
        row.idle_at = NOW + lifetime.idle
        row.expires_at = NOW + lifetime.most
        self._session.add(row)
        self._session.flush()
        return token

    def verify(self, token: str, lifetime: Lifetime) -> SignedIn | None:
        """Whom this token speaks for, or None if its session is unknown or has ended."""
        stale = SessionRow.seen_at < NOW - USE_NOTED_EVERY
        asked = select(
            SessionRow,
            PersonRow.role,
            PersonRow.hospital_id,
            PersonRow.must_change,
            stale.label("stale"),
        )
        query = asked.join(PersonRow, PersonRow.id == SessionRow.person_id)
        found = self._session.execute(
            query.where(
                SessionRow.token_sha256 == digest(token), LIVES, UNUSED_NOT_LONG
            )
        )
        if (row := found.first()) is None:
            return None
        if row.stale:
            self._note_use(row.SessionRow.token_sha256, lifetime.idle)
        held = row.SessionRow
        caller = Caller(
            held.token_sha256, Role(row.role), row.hospital_id, held.person_id
        )
        return SignedIn(caller, row.must_change, held.expires_at)

    def is_active(self, token_sha256: str) -> bool:
        """Whether a session that was good is good still; a long answer under way is use enough."""
        query = select(SessionRow.person_id).join(
            PersonRow, PersonRow.id == SessionRow.person_id
        )
        return (
            self._session.scalar(
                query.where(SessionRow.token_sha256 == token_sha256, LIVES)
            )
            is not None
        )

    def end(self, token_sha256: str) -> None:
        """Sign out."""
        ended = update(SessionRow).where(
            SessionRow.token_sha256 == token_sha256, SessionRow.revoked_at.is_(None)
        )
        person = self._session.scalar(
            ended.values(revoked_at=NOW).returning(SessionRow.person_id)
        )
        if person:
            hospital = self._session.scalar(
                select(PersonRow.hospital_id).where(PersonRow.id == person)
            )
            self._audit.record_all(
                [
                    AuditEntry(
                        Event.PERSON_SIGNED_OUT,
                        hospital,
                        details={"person": str(person)},
                    )
                ]
            )

    def _note_use(self, token_sha256: str, idle: timedelta) -> None:
        free = select(SessionRow.token_sha256).where(
            SessionRow.token_sha256 == token_sha256
        )
        mine = SessionRow.token_sha256.in_(
            free.with_for_update(skip_locked=True).scalar_subquery()
        )
        noted = update(SessionRow).where(mine).values(seen_at=NOW, idle_at=NOW + idle)
        self._session.execute(noted.execution_options(synchronize_session=False))


def digest(token: str) -> str:
    # The token has 256 random bits, so one round of SHA-256 cannot be guessed back.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
