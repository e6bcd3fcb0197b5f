"""Reads and changes hospitals' settings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from services.api.hospitals.expected import Live, expected, notes
from services.api.hospitals.schemas import HospitalView
from services.api.hospitals.validation import check
from shared.domain.reader_first import DEFAULT_READER_FIRST
from shared.ledger import SystemSession
from shared.ledger.cases.erasures import DueCases
from shared.ledger.edit_conflicts import ETags
from shared.ledger.hospitals.repository import SETTINGS, Hospital
from shared.ledger.hospitals.text_policy import text_policy
from shared.settings import Settings


class HospitalService:
    def __init__(self, session: SystemSession, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    def read(self, hospital: UUID) -> HospitalView:
        return self._view(self._session.hospitals.read(hospital))

    def all(self) -> list[HospitalView]:
        """Return all hospitals, sorted by name."""
        live = live_model(self._session)
        due_cases = self._session.retention.count_due(self._settings.retention_days)
        views = []
        for hospital in self._session.hospitals.all():
            counts = due_cases.get(hospital.id, DueCases())
            views.append(hospital_view(hospital, live, self._settings, counts.cases))
        return views

    def add(self, name: str) -> HospitalView:
        """Add a hospital. Raises HospitalExists."""
        return self._view(self._session.hospitals.add(name))

    def find_id(self, name: str) -> UUID:
        """Return the id of a hospital. Raises HospitalUnknown."""
        return self._session.hospitals.find(name).id

    def change(
        self,
        hospital: UUID,
        change: Mapping[str, Any],
        tags: ETags = None,
        dry_run: bool = False,
    ) -> HospitalView:
        """Change settings and return them. A dry run returns the settings as they would be and
        stores nothing.

        Raises SettingOutside, RuleUnknown, EditConflict.
        """
        check(change, self._settings)
        if dry_run:
            return self._view(replace(self._session.hospitals.read(hospital), **change))
        return self._view(self._session.hospitals.change(hospital, change, tags))

    def _view(self, hospital: Hospital) -> HospitalView:
        days = hospital.retention_days or self._settings.retention_days
        due_cases = 0
        if days:
            retention = self._session.retention
            due_cases = retention.count_due_with_retention(hospital.id, days)
        live = live_model(self._session)
        return hospital_view(hospital, live, self._settings, due_cases)


def live_model(session: SystemSession) -> Live | None:
    """Return the live model with its reference, or None before the first promotion."""
    digest = session.models.live_digest()
    if digest is None:
        return None
    return Live(
        model=session.models.find(digest),
        reference=session.model_metadata.reference(digest),
    )


def hospital_view(
    hospital: Hospital, live: Live | None, settings: Settings, due_cases: int
) -> HospitalView:
    prevalence = hospital.prevalence or settings.prevalence
    rule = hospital.fna_rule or settings.fna_rule
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
            "blank_text": text_policy(hospital.blank_text).value,
            "reader_first": hospital.reader_first or DEFAULT_READER_FIRST.value,
        },
        due=due_cases,
        live=expected(hospital, prevalence, live),
        notes=notes(hospital, live),
        tag=hospital.tag,
    )
