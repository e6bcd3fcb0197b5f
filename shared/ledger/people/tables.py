"""People who sign in, their sessions, and sign-in attempts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import NOW, Table, id_column, timestamp_column


class PersonRow(Table):
    """A person, with the argon2id hash of the password and the encrypted authenticator secret."""

    __tablename__ = "people"
    id: Mapped[UUID] = id_column()
    name: Mapped[str] = mapped_column(unique=True)
    hospital_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("hospitals.id"), index=True
    )
    role: Mapped[str]
    password_hash: Mapped[str | None]
    """None if this person signs in by an identity provider."""
    must_change: Mapped[bool] = mapped_column(server_default=text("false"))
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    totp_secret: Mapped[bytes | None]
    totp_since: Mapped[datetime | None]
    """None if the sign-in needs no code."""
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    """The last time step whose code was used."""
    recovery: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    """SHA-256 of the unused recovery codes."""
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    locked_until: Mapped[datetime | None]
    signed_in_at: Mapped[datetime | None]
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    """Sessions of an earlier generation have ended. It is a number, so that no clock matters."""
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (UniqueConstraint("issuer", "subject", name="person_of_provider"),)


class SessionRow(Table):
    """A session, with only the hash of its token."""

    __tablename__ = "sessions"
    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"), index=True)
    generation: Mapped[int]
    created_at: Mapped[datetime] = timestamp_column()
    seen_at: Mapped[datetime] = timestamp_column()
    """The time of the last use, exact to a minute."""
    idle_at: Mapped[datetime]
    """The session ends at this time unless it is used earlier."""
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    origin: Mapped[str | None]


class UnknownNameRow(Table):
    """A tried name that nobody has, as a keyed hash. It is locked like the name of a person."""

    __tablename__ = "strangers"
    name_hmac: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    locked_until: Mapped[datetime | None]
    tried_at: Mapped[datetime] = timestamp_column()


class SignInRateLimitRow(Table):
    """An address's token bucket for sign-ins: the tokens that it had at a time."""

    __tablename__ = "doorsteps"
    origin: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[float]
    filled_at: Mapped[datetime] = mapped_column(server_default=NOW, index=True)


class OidcStateRow(Table):
    """A person at an identity provider: the values that the response of the provider must match,
    once.
    """

    __tablename__ = "arrivals"
    state_sha256: Mapped[str] = mapped_column(primary_key=True)
    browser_sha256: Mapped[str]
    nonce: Mapped[str]
    verifier: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)
