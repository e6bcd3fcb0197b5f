"""API keys: shown once, stored as hashes, with an expiry. They can be rotated and revoked."""

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
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.tables import ApiKeyRow

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])
PREFIX = "sera"
NOW = func.clock_timestamp()
USE_NOTED_EVERY = timedelta(minutes=1)
"""A key's last use is noted at most this often, so that not every poll is a write."""

IS_ACTIVE = and_(
    ApiKeyRow.revoked_at.is_(None),
    or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > NOW),
)
IS_USE_DUE = or_(
    ApiKeyRow.last_used_at.is_(None),
    ApiKeyRow.last_used_at < NOW - USE_NOTED_EVERY,
)


class KeyNeedsHospital(InputError):
    code = "key-needs-hospital"
    text = (
        "A {role} key belongs to one hospital; name it with --hospital NAME, or `hospital` in the "
        "body."
    )


class KeyUnknown(NotFound):
    code = "key-unknown"
    text = (
        "There is no key {key!r} that you may change. Those there are: `./sera key list`, or GET "
        "/v1/keys."
    )


class KeyEnded(Conflict):
    code = "key-ended"
    text = (
        "The key {key} has ended: it is revoked, has run out, or was replaced before. Make a new "
        "one."
    )


@dataclass(frozen=True)
class ApiKey:
    """A key without its secret. `replaced_by` is the id of the key that succeeded it."""

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
    """A new key. Only `text` contains its secret, and the secret is not stored."""

    key: ApiKey
    text: str


class ApiKeys:
    """The keys of the whole system, or of one hospital.

    A hospital's administrator sees all keys of the hospital, and changes those of its staff.
    """

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
        """Create a key, and return its text, which contains the secret. Raises as `create` does."""
        return self.create(
            role=role, hospital=hospital, label=label, expires_at=expires_at
        ).text

    def create(
        self,
        role: Role,
        hospital: UUID | None,
        label: str,
        expires_at: datetime | None = None,
    ) -> NewApiKey:
        """Raises KeyNeedsHospital; Forbidden if a hospital creates another key than a staff key."""
        if self._hospital and role not in STAFF_ROLES:
            raise Forbidden(role=Role.HOSPITAL_ADMIN, needed=Role.OPERATOR)
        hospital = self._hospital or hospital
        if role in HOSPITAL_ROLES and hospital is None:
            raise KeyNeedsHospital(role=role)
        owner = hospital if role in HOSPITAL_ROLES else None
        new = self._add(role=role, hospital=owner, label=label, expires_at=expires_at)
        self._record(Event.KEY_CREATED, new.key, role=role)
        return new

    def now(self) -> datetime:
        """The database's clock, by which a key expires."""
        now: datetime = self._session.scalars(select(NOW)).one()
        return now

    def all(self) -> list[ApiKey]:
        """Return all keys, newest first."""
        query = select(ApiKeyRow).order_by(ApiKeyRow.created_at.desc())
        rows = self._session.scalars(self._restrict_to_hospital(query))
        return [_api_key(row) for row in rows]

    def rotate(self, key_id: str, overlap: timedelta) -> NewApiKey:
        """Create a successor with the same lifetime; this key ends after the overlap.

        Raises KeyUnknown, KeyEnded.
        """
        row = self._lock_changeable(key_id)
        now = self.now()
        if row.replaced_by or not _is_active(row, now):
            raise KeyEnded(key=key_id)
        expires_at = None
        overlap_end = now + overlap
        row_end = overlap_end
        if row.expires_at:
            expires_at = now + (row.expires_at - row.created_at)
            row_end = min(row.expires_at, overlap_end)
        new = self._add(
            role=Role(row.role),
            hospital=row.hospital_id,
            label=row.label,
            expires_at=expires_at,
        )
        row.replaced_by = new.key.id
        row.expires_at = row_end
        self._session.flush()
        self._record(
            Event.KEY_ROTATED,
            _api_key(row),
            successor=new.key.id,
            until=row_end.isoformat(),
        )
        return new

    def revoke(self, key_id: str) -> ApiKey:
        """End a key now, so that the next request with it is refused.

        Revoking a key again changes nothing. Raises KeyUnknown.
        """
        row = self._lock_changeable(key_id)
        if row.revoked_at is None:
            row.revoked_at = self.now()
            self._session.flush()
            self._record(Event.KEY_REVOKED, _api_key(row))
        return _api_key(row)

    def note_use(self, key_id: str) -> None:
        """Note that a key was used now. If another transaction notes it too, one note is enough."""
        unlocked = (
            select(ApiKeyRow.id)
            .where(ApiKeyRow.id == key_id, IS_USE_DUE)
            .with_for_update(skip_locked=True)
        )
        statement = (
            update(ApiKeyRow)
            .where(ApiKeyRow.id.in_(unlocked.scalar_subquery()))
            .values(last_used_at=NOW)
        )
        self._session.execute(statement.execution_options(synchronize_session=False))

    def is_active(self, key_id: str) -> bool:
        """Whether a key exists and has not ended."""
        query = select(ApiKeyRow.id).where(ApiKeyRow.id == key_id, IS_ACTIVE)
        return self._session.scalar(self._restrict_to_hospital(query)) is not None

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
            secret_sha256=hash_secret(secret),
        )
        self._session.add(row)
        self._session.flush()
        return NewApiKey(key=_api_key(row), text=f"{PREFIX}_{row.id}_{secret}")

    def _lock_changeable(self, key_id: str) -> ApiKeyRow:
        query = self._restrict_to_hospital(select(ApiKeyRow)).where(
            ApiKeyRow.id == key_id
        )
        if self._hospital:
            query = query.where(ApiKeyRow.role.in_(STAFF_ROLES))
        row: ApiKeyRow | None = self._session.scalar(query.with_for_update())
        if row is None:
            raise KeyUnknown(key=key_id)
        return row

    def _restrict_to_hospital(self, query: Query) -> Query:
        if self._hospital is None:
            return query
        return query.where(ApiKeyRow.hospital_id == self._hospital)

    def _record(self, event: Event, key: ApiKey, **details: object) -> None:
        entry = AuditEntry(
            event=event,
            hospital_id=key.hospital_id,
            details={"key": key.id, **details},
        )
        self._audit.record_all([entry])


def _is_active(row: ApiKeyRow, now: datetime) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def _api_key(row: ApiKeyRow) -> ApiKey:
    values = {field.name: getattr(row, field.name) for field in fields(ApiKey)}
    values["role"] = Role(row.role)
    return ApiKey(**values)


def hash_secret(secret: str) -> str:
    # The secret has 256 random bits, so its SHA-256 hash cannot be reversed by guessing.
    return hashlib.sha256(secret.encode()).hexdigest()
