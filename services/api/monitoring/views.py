"""Parts that the responses of several dashboards share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np

from services.api.monitoring.schemas import RateView, WindowView
from shared.ledger.monitoring.observations import VerifiedResults, Window
from shared.statistics import DriftState, IntervalMethod, Proportion

SEVERITY = (DriftState.TOO_FEW, DriftState.OK, DriftState.WATCH, DriftState.ALARM)
"""From the least informative to the worst."""


class GroupKey(NamedTuple):
    """A whole hospital, or one of its devices. `device` is None if the files name no scanner."""

    hospital: UUID
    is_hospital: bool
    device: str | None = None

    @property
    def level(self) -> str:
        return "hospital" if self.is_hospital else "device"

    def order(self, names: Mapping[UUID, str]) -> tuple[str, bool, str]:
        """Sort key: by hospital, the whole hospital before its devices."""
        return names[self.hospital], not self.is_hospital, self.device or ""


def group_keys(hospital: UUID, device: str | None) -> tuple[GroupKey, GroupKey]:
    """Return the two groups to which a result belongs: its hospital and its device."""
    whole_hospital = GroupKey(hospital, is_hospital=True)
    one_device = GroupKey(hospital, is_hospital=False, device=device)
    return whole_hospital, one_device


def rate(count: int, total: int) -> RateView:
    """Return a proportion with Wilson's 95 % interval."""
    proportion = Proportion(count, total)
    interval = proportion.interval(IntervalMethod.WILSON)
    return RateView(
        value=proportion.value if total else None,
        low=interval.low,
        high=interval.high,
        count=count,
        of=total,
    )


def worst(states: Iterable[DriftState | None]) -> DriftState | None:
    """Return the worst known state, or None if no state is known."""
    known_states = [state for state in states if state]
    return max(known_states, key=SEVERITY.index, default=None)


def window_view(window: Window) -> WindowView:
    return WindowView(since=window.start, until=window.end)


def joined_column(verified: Sequence[VerifiedResults], name: str) -> np.ndarray:
    """Return one column of all parts, concatenated."""
    parts = [getattr(part, name) for part in verified]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)
