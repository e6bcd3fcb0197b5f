"""Reads and changes hospitals' settings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from services.api.dependencies import Wiring
from services.api.hospitals.expected import Live, expected, notes
from services.api.hospitals.limits import check
from services.api.hospitals.schemas import HospitalView
from shared.ledger.editing import Tags
from shared.ledger.erasures import Due
from shared.ledger.hospitals import SETTINGS, Caller, Hospital
from shared.ledger.ledger import SystemSession
from shared.settings import Settings


class HospitalDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def read(self, hospital: UUID) -> HospitalView:
        with self._wired.ledger.system_session(self._who.actor) as session:
            return self._view(session, session.hospitals.read(hospital))

    def all(self) -> list[HospitalView]:
        """By name."""
        with self._wired.ledger.system_session(self._who.actor) as session:
            serving, due = live(session), session.retention.due(self._wired.settings.retention_days)
            return [
                view(hospital, serving, self._wired.settings, due.get(hospital.id, Due()).cases)
                for hospital in session.hospitals.all()
            ]

    def add(self, name: str) -> HospitalView:
        """Raises HospitalExists."""
        with self._wired.ledger.system_session(self._who.actor) as session:
            return self._view(session, session.hospitals.add(name))

    def named(self, name: str) -> UUID:
        """Raises HospitalUnknown."""
        with self._wired.ledger.system_session(self._who.actor) as session:
            return session.hospitals.find(name).id

    def change(
        self, hospital: UUID, change: Mapping[str, Any], tags: Tags = None, dry_run: bool = False
    ) -> HospitalView:
        """The settings as they are then, or in a dry run would be.

        Raises SettingOutside, RuleUnknown, ChangedMeanwhile.
        """
        check(change, self._wired.settings)
        with self._wired.ledger.system_session(self._who.actor) as session:
            if dry_run:
                return self._view(session, replace(session.hospitals.read(hospital), **change))
            return self._view(session, session.hospitals.change(hospital, change, tags))

    def _view(self, session: SystemSession, hospital: Hospital) -> HospitalView:
        settings = self._wired.settings
        days = hospital.retention_days or settings.retention_days
        due = session.retention.would_be_due(hospital.id, days) if days else 0
        return view(hospital, live(session), settings, due)


def live(session: SystemSession) -> Live | None:
    """The live model with its reference; None before the first promotion."""
    digest = session.models.live()
    return (
        None
        if digest is None
        else Live(session.models.find(digest), session.papers.reference(digest))
    )


def view(hospital: Hospital, serving: Live | None, settings: Settings, due: int) -> HospitalView:
    prevalence, rule = (
        hospital.prevalence or settings.prevalence,
        hospital.fna_rule or settings.fna_rule,
    )
    return HospitalView(
        name=hospital.name,
        **{name: getattr(hospital, name) for name in SETTINGS},
        in_use={
            "prevalence": prevalence,
            "fna_rule": rule,
            "rate_per_minute": hospital.rate_per_minute or settings.rate_per_minute,
            "inflight_quota": hospital.inflight_quota or settings.inflight_quota,
            "weight": hospital.weight or 1.0,
            "retention_days": hospital.retention_days or settings.retention_days,
        },
        due=due,
        live=expected(hospital, prevalence, serving),
        notes=notes(hospital, serving),
        tag=hospital.tag,
    )
