"""API keys: shown once, kept as hashes, expiring, replaced with an overlap, revoked at once."""

import hashlib
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.roles import HOSPITAL_ROLES, STAFF_ROLES, Role
from shared.errors import Conflict, Forbidden, InputError, NotFound
from shared.ledger.audit.repository import AuditTrail, Entry
from shared.ledger.tables import ApiKeyRow

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])
PREFIX = "sera"
NOW = func.clock_timestamp()
USE_NOTED_EVERY = timedelta(minutes=1)
"""A poll is no write: when a key was used last is known to this."""

ALIVE = and_(
    ApiKeyRow.revoked_at.is_(None),
    or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > NOW),
)
STALE = or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at < NOW - USE_NOTED_EVERY)


class KeyNeedsHospital(InputError):
    code = "key-needs-hospital"
    text = "A {role} key belongs to one hospital; name it with --hospital NAME, or `hospital` in the body."


class KeyUnknown(NotFound):
    code = "key-unknown"
    text = "There is no key {key!r} that you may change. Those there are: `./sera key list`, or GET /v1/keys."


class KeyEnded(Conflict):
    code = "key-ended"
    text = "The key {key} has ended: it is revoked, has run out, or was replaced before. Make a new one."


@dataclass(frozen=True)
class ApiKey:
    """A key without its secret. `replaced_by` is the id of the one that it was rotated to."""

    id: str
    hospital_id: UUID | None
    role: Role
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None


@dataclass(frozen=True)
class NewApiKey:
    """A key just made; `text` is the only sight of its secret."""

    key: ApiKey
    text: str


class ApiKeys:
    """Of the whole house; or of one hospital, whose administrator sees them all and changes its staff's."""

    def __init__(
        self, session: Session, audit: AuditTrail, hospital: UUID | None = None
    ) -> None:
        self._session = session
        self._audit = audit
        self._hospital = hospital

    def create_text(
        self,
        role: Role,
        hospital: UUID | None,
        label: str,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a key; the text returned is the only time its secret is seen."""
        return self.create(role, hospital, label, expires_at).text

    def create(
        self,
        role: Role,
        hospital: UUID | None,
        label: str,
        expires_at: datetime | None = None,
    ) -> NewApiKey:
        """Raises KeyNeedsHospital, and Forbidden where a hospital's administrator asks for more than a staff key."""
        if self._hospital and role not in STAFF_ROLES:
            raise Forbidden(role=Role.HOSPITAL_ADMIN, needed=Role.OPERATOR)
        hospital = self._hospital or hospital
        if role in HOSPITAL_ROLES and hospital is None:
            raise KeyNeedsHospital(role=role)
        made = self._add(
            role, hospital if role in HOSPITAL_ROLES else None, label, expires_at
        )
        self._record(Event.KEY_CREATED, made.key, role=role)
        return made

    def now(self) -> datetime:
        """The database's clock, which says when a key ends."""
        now: datetime = self._session.scalars(select(NOW)).one()
        return now

    def all(self) -> list[ApiKey]:
        """Newest first."""
        return [
            _key(row)
            for row in self._session.scalars(
                self._mine(select(ApiKeyRow)).order_by(ApiKeyRow.created_at.desc())
            )
        ]

    def rotate(self, key_id: str, overlap: timedelta) -> NewApiKey:
        """A successor that lives as long as this key was to live; this one ends after the overlap.

        Raises KeyUnknown, KeyEnded.
        """
        row = self._changeable(key_id)
        now = self.now()
        if row.replaced_by or not _alive(row, now):
            raise KeyEnded(key=key_id)
        expires_at = now + (row.expires_at - row.created_at) if row.expires_at else None
        made = self._add(Role(row.role), row.hospital_id, row.label, expires_at)
        row.replaced_by = made.key.id
        row.expires_at = min(filter(None, (row.expires_at, now + overlap)))
        self._session.flush()
        self._record(
            Event.KEY_ROTATED,
            _key(row),
            successor=made.key.id,
            until=row.expires_at.isoformat(),
        )
        return made

    def revoke(self, key_id: str) -> ApiKey:
        """End a key now: the next request with it is refused. Twice is harmless. Raises KeyUnknown."""
        row = self._changeable(key_id)
        if row.revoked_at is None:
            row.revoked_at = self.now()
            self._session.flush()
            self._record(Event.KEY_REVOKED, _key(row))
        return _key(row)

    def note_use(self, key_id: str) -> None:
        """Note that a key was used now; whoever else notes it at this moment is enough."""
        free = (
            select(ApiKeyRow.id)
            .where(ApiKeyRow.id == key_id, STALE)
            .with_for_update(skip_locked=True)
        )
        noted = (
            update(ApiKeyRow)
            .where(ApiKeyRow.id.in_(free.scalar_subquery()))
            .values(last_used_at=NOW)
        )
        self._session.execute(noted.execution_options(synchronize_session=False))

    def is_active(self, key_id: str) -> bool:
        """Whether a key that was good is good still."""
        return (
            self._session.scalar(
                self._mine(select(ApiKeyRow.id)).where(ApiKeyRow.id == key_id, ALIVE)
            )
            is not None
        )

    def _add(
        self, role: Role, hospital: UUID | None, label: str, expires_at: datetime | None
    ) -> NewApiKey:
        secret = secrets.token_urlsafe(32)
        row = ApiKeyRow(
            id=secrets.token_hex(6),
            hospital_id=hospital,
            role=role,
            label=label,
            expires_at=expires_at,
        )
        row.secret_sha256 = hash_secret(secret)
        self._session.add(row)
        self._session.flush()
        return NewApiKey(_key(row), f"{PREFIX}_{row.id}_{secret}")

    def _changeable(self, key_id: str) -> ApiKeyRow:
        query = self._mine(select(ApiKeyRow)).where(ApiKeyRow.id == key_id)
        if self._hospital:
            query = query.where(ApiKeyRow.role.in_(STAFF_ROLES))
        row: ApiKeyRow | None = self._session.scalar(query.with_for_update())
        if row is None:
            raise KeyUnknown(key=key_id)
        return row

    def _mine(self, query: Query) -> Query:
        if self._hospital is None:
            return query
        return query.where(ApiKeyRow.hospital_id == self._hospital)

    def _record(self, event: Event, key: ApiKey, **details: object) -> None:
        self._audit.record_all(
            [Entry(event, key.hospital_id, details={"key": key.id, **details})]
        )


def _alive(row: ApiKeyRow, now: datetime) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def _key(row: ApiKeyRow) -> ApiKey:
    told = {field.name: getattr(row, field.name) for field in fields(ApiKey)}
    return ApiKey(**told | {"role": Role(row.role)})


def hash_secret(secret: str) -> str:
    # The secret has 256 random bits, so one round of SHA-256 cannot be guessed back.
    return hashlib.sha256(secret.encode()).hexdigest()
