"""Hospitals, their settings and their API keys. A key is shown once; its hash is kept."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.events import Event
from shared.domain.roles import HOSPITAL_ROLES, Role
from shared.errors import InputError, NotFound
from shared.ledger.audit import AuditTrail, Entry
from shared.ledger.tables import HospitalRow, KeyRow

PREFIX = "sera"


SETTINGS = (
    "prevalence",
    "fna_rule",
    "target_sensitivity",
    "refer_alpha",
    "rate_per_minute",
    "inflight_quota",
    "weight",
)


class HospitalUnknown(NotFound):
    code = "hospital-unknown"
    text = "There is no hospital {name!r}. Those there are: `./sera hospital show`, or GET /v1/hospitals."


class KeyNeedsHospital(InputError):
    code = "key-needs-hospital"
    text = "A {role} key belongs to one hospital; name it with --hospital NAME."


@dataclass(frozen=True)
class Caller:
    """Whom a valid key speaks for."""

    key_id: str
    role: Role
    hospital_id: UUID | None

    @property
    def actor(self) -> str:
        return f"key:{self.key_id}"


@dataclass(frozen=True)
class Hospital:
    """A hospital's own settings; None where it has said nothing."""

    id: UUID
    name: str
    prevalence: float | None
    fna_rule: str | None
    target_sensitivity: float | None
    """None: Youden's cut-off."""
    refer_alpha: float | None
    """None: no case is referred for being uncertain."""
    rate_per_minute: int | None
    inflight_quota: int | None
    weight: float | None
    """Its share of the workers beside another that also has cases waiting; None: 1."""


class Hospitals:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit

    def all(self) -> list[Hospital]:
        """By name."""
        return [_hospital(row) for row in self._session.scalars(select(HospitalRow).order_by(HospitalRow.name))]

    def find(self, name: str) -> Hospital:
        """Raises HospitalUnknown."""
        row = self._session.scalar(select(HospitalRow).where(HospitalRow.name == name))
        if row is None:
            raise HospitalUnknown(name=name)
        return _hospital(row)

    def read(self, hospital: UUID) -> Hospital:
        return _hospital(self._session.get_one(HospitalRow, hospital))

    def change(self, hospital: UUID, settings: Mapping[str, Any]) -> Hospital:
        """Set some settings, by name; what really changes is on record with before and after."""
        row = self._session.get_one(HospitalRow, hospital, with_for_update=True)
        before = {name: getattr(row, name) for name in SETTINGS}
        after = {name: value for name, value in settings.items() if value != before[name]}
        if after:
            for name, value in after.items():
                setattr(row, name, value)
            self._session.flush()
            told = {"before": {name: before[name] for name in after}, "after": after}
            self._audit.record_all([Entry(Event.HOSPITAL_CHANGED, hospital, details=told)])
        return _hospital(row)

    def ensure(self, name: str) -> UUID:
        """The hospital of this name, added if it is new."""
        added = insert(HospitalRow).values(name=name).on_conflict_do_nothing().returning(HospitalRow.id)
        if new := self._session.scalar(added):
            self._audit.record_all([Entry(Event.HOSPITAL_ADDED, new)])
            return new
        return self._session.scalars(select(HospitalRow.id).where(HospitalRow.name == name)).one()


class Keys:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit

    def create(self, role: Role, hospital: UUID | None, label: str, expires_at: datetime | None = None) -> str:
        """Make a key; the text returned is the only time its secret is seen."""
        if role in HOSPITAL_ROLES and hospital is None:
            raise KeyNeedsHospital(role=role)
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        owner = hospital if role in HOSPITAL_ROLES else None
        row = KeyRow(
            id=key_id, hospital_id=owner, role=role, label=label, secret_sha256=_hash(secret), expires_at=expires_at
        )
        self._session.add(row)
        self._audit.record_all([Entry(Event.KEY_CREATED, owner, details={"key": key_id, "role": role})])
        return f"{PREFIX}_{key_id}_{secret}"

    def verify(self, text: str) -> Caller | None:
        """Whom this key speaks for, or None if it is unknown, expired or revoked."""
        parts = text.split("_", 2)
        if len(parts) != 3 or parts[0] != PREFIX:
            return None
        alive = or_(KeyRow.expires_at.is_(None), KeyRow.expires_at > func.clock_timestamp())
        row = self._session.scalar(select(KeyRow).where(KeyRow.id == parts[1], KeyRow.revoked_at.is_(None), alive))
        if row is None or not hmac.compare_digest(row.secret_sha256, _hash(parts[2])):
            return None
        return Caller(row.id, Role(row.role), row.hospital_id)


def _hospital(row: HospitalRow) -> Hospital:
    return Hospital(row.id, row.name, **{name: getattr(row, name) for name in SETTINGS})


def _hash(secret: str) -> str:
    # The secret has 256 random bits, so one round of SHA-256 cannot be guessed back.
    return hashlib.sha256(secret.encode()).hexdigest()
