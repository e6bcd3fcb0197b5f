"""Hospitals and their settings, and the callers who act for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.errors import Conflict, NotFound
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.edit_conflicts import (
    ETags,
    changed_settings,
    check_tags,
    settings_tag,
)
from shared.ledger.tables import HospitalRow

SETTINGS = (
    "prevalence",
    "fna_rule",
    "target_sensitivity",
    "refer_alpha",
    "rate_per_minute",
    "inflight_quota",
    "weight",
    "retention_days",
    "blank_text",
    "reader_first",
)


class HospitalUnknown(NotFound):
    code = "hospital-unknown"
    text = (
        "There is no hospital {name!r}. Those there are: `./sera hospital show`, or GET "
        "/v1/hospitals."
    )


class HospitalExists(Conflict):
    code = "hospital-exists"
    text = (
        "There is a hospital {name!r} already. Choose another name, or change that one's "
        "settings."
    )


@dataclass(frozen=True)
class Caller:
    """Who makes a request, with a key, or with a session if `person` is set."""

    credential: str
    """The key's id, or the hash of the session's token."""
    role: Role
    hospital_id: UUID | None
    person: UUID | None = None

    @property
    def actor(self) -> str:
        return f"person:{self.person}" if self.person else f"key:{self.credential}"


@dataclass(frozen=True)
class Hospital:
    """A hospital's own settings; None if the installation's default applies."""

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
    """Its share of the workers while other hospitals have waiting cases, too; None means 1."""
    retention_days: int | None
    """The number of days after which its cases are erased."""
    blank_text: str | None
    """One of `TextPolicy`: what is done about text burnt into its images."""
    reader_first: str | None
    """One of `ReaderFirst`: whether people enter their own level before SERA's answer is shown."""

    @property
    def tag(self) -> str:
        """An ETag that changes with the settings."""
        return settings_tag({name: getattr(self, name) for name in SETTINGS})


class Hospitals:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def all(self) -> list[Hospital]:
        """Return all hospitals by name."""
        rows = self._session.scalars(select(HospitalRow).order_by(HospitalRow.name))
        return [_hospital(row) for row in rows]

    def find(self, name: str) -> Hospital:
        """Raises HospitalUnknown."""
        row = self._session.scalar(select(HospitalRow).where(HospitalRow.name == name))
        if row is None:
            raise HospitalUnknown(name=name)
        return _hospital(row)

    def read(self, hospital: UUID) -> Hospital:
        return _hospital(self._session.get_one(HospitalRow, hospital))

    def change(
        self, hospital: UUID, settings: Mapping[str, Any], tags: ETags = None
    ) -> Hospital:
        """Set some settings, by name. The audit event has the values before and after.

        Raises EditConflict.
        """
        row = self._session.get_one(
            HospitalRow, hospital, with_for_update={"key_share": True}
        )
        present = {name: getattr(row, name) for name in SETTINGS}
        check_tags(
            tags,
            settings_tag(present),
            lambda: _describe_conflict(row.name, present, tags),
        )
        new_values = {
            name: value for name, value in settings.items() if value != present[name]
        }
        if new_values:
            for name, value in new_values.items():
                setattr(row, name, value)
            self._session.flush()
            old_values = {name: present[name] for name in new_values}
            details = {"before": old_values, "after": new_values}
            entry = AuditEntry(
                event=Event.HOSPITAL_CHANGED, hospital_id=hospital, details=details
            )
            self._audit.record_all([entry])
        return _hospital(row)

    def add(self, name: str) -> Hospital:
        """Add a hospital with the default settings. Raises HospitalExists."""
        hospital = self._insert(name)
        if hospital is None:
            raise HospitalExists(name=name)
        return self.read(hospital)

    def ensure(self, name: str) -> UUID:
        """Return the id of the hospital of this name, and add the hospital if it is new."""
        new = self._insert(name)
        if new:
            return new
        query = select(HospitalRow.id).where(HospitalRow.name == name)
        return self._session.scalars(query).one()

    def _insert(self, name: str) -> UUID | None:
        """Insert a hospital and return its id; None if a hospital of this name exists."""
        statement = (
            insert(HospitalRow)
            .values(name=name)
            .on_conflict_do_nothing()
            .returning(HospitalRow.id)
        )
        hospital = self._session.scalar(statement)
        if hospital:
            entry = AuditEntry(event=Event.HOSPITAL_ADDED, hospital_id=hospital)
            self._audit.record_all([entry])
        return hospital


def _describe_conflict(name: str, present: Mapping[str, Any], tags: ETags) -> str:
    changed = changed_settings(present, tags)
    if not changed:
        return f"This is no ETag of {name}."
    return f"Of {name} was changed since: {', '.join(changed)}."


def _hospital(row: HospitalRow) -> Hospital:
    settings = {name: getattr(row, name) for name in SETTINGS}
    return Hospital(id=row.id, name=row.name, **settings)
