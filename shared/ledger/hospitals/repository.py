"""Hospitals and their settings, and who may call for them."""

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
from shared.ledger.audit.repository import AuditTrail, Entry
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
)


class HospitalUnknown(NotFound):
    code = "hospital-unknown"
    text = "There is no hospital {name!r}. Those there are: `./sera hospital show`, or GET /v1/hospitals."


class HospitalExists(Conflict):
    code = "hospital-exists"
    text = "There is a hospital {name!r} already. Choose another name, or change that one's settings."


@dataclass(frozen=True)
class Caller:
    """Whom a valid key speaks for, or a session where there is a `person`."""

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
    retention_days: int | None
    """After which its cases are erased."""

    @property
    def tag(self) -> str:
        """Changes with the settings."""
        return settings_tag({name: getattr(self, name) for name in SETTINGS})


class Hospitals:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def all(self) -> list[Hospital]:
        """By name."""
        return [
            _hospital(row)
            for row in self._session.scalars(
                select(HospitalRow).order_by(HospitalRow.name)
            )
        ]

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
        """Set some settings, by name; what really changes is on record with before and after.

        Raises ChangedMeanwhile.
        """
        row = self._session.get_one(
            HospitalRow, hospital, with_for_update={"key_share": True}
        )
        before = {name: getattr(row, name) for name in SETTINGS}
        check_tags(tags, settings_tag(before), lambda: _what(row.name, before, tags))
        after = {
            name: value for name, value in settings.items() if value != before[name]
        }
        if after:
            for name, value in after.items():
                setattr(row, name, value)
            self._session.flush()
            told = {"before": {name: before[name] for name in after}, "after": after}
            self._audit.record_all(
                [Entry(Event.HOSPITAL_CHANGED, hospital, details=told)]
            )
        return _hospital(row)

    def add(self, name: str) -> Hospital:
        """A new hospital, which has said nothing yet. Raises HospitalExists."""
        new = self._added(name)
        if new is None:
            raise HospitalExists(name=name)
        return self.read(new)

    def ensure(self, name: str) -> UUID:
        """The hospital of this name, added if it is new."""
        return (
            self._added(name)
            or self._session.scalars(
                select(HospitalRow.id).where(HospitalRow.name == name)
            ).one()
        )

    def _added(self, name: str) -> UUID | None:
        added = (
            insert(HospitalRow)
            .values(name=name)
            .on_conflict_do_nothing()
            .returning(HospitalRow.id)
        )
        new = self._session.scalar(added)
        if new:
            self._audit.record_all([Entry(Event.HOSPITAL_ADDED, new)])
        return new


def _what(name: str, before: Mapping[str, Any], tags: ETags) -> str:
    changed = changed_settings(before, tags)
    return (
        f"Of {name} was changed since: {', '.join(changed)}."
        if changed
        else f"This is no ETag of {name}."
    )


def _hospital(row: HospitalRow) -> Hospital:
    return Hospital(row.id, row.name, **{name: getattr(row, name) for name in SETTINGS})
