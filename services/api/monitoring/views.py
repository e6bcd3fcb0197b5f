"""From figures to what dashboards are answered with, where several answers need the same."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np

from services.api.monitoring.schemas import RateView, WindowView
from shared.ledger.monitoring.observations import VerifiedResults, Window
from shared.statistics import DriftState, IntervalMethod, Proportion

SEVERITY = (DriftState.TOO_FEW, DriftState.OK, DriftState.WATCH, DriftState.ALARM)
"""From the least telling to the worst."""


class GroupKey(NamedTuple):
    """A hospital as a whole, or one of its devices; None is the device of files that do not tell."""

    hospital: UUID
    whole: bool
    device: str | None = None

    @property
    def level(self) -> str:
        return "hospital" if self.whole else "device"

    def order(self, names: Mapping[UUID, str]) -> tuple[str, bool, str]:
        """By hospital; first as a whole, then by device."""
        return names[self.hospital], not self.whole, self.device or ""


def group_keys(hospital: UUID, device: str | None) -> tuple[GroupKey, GroupKey]:
    """Where a result counts: in its hospital's row, and in its device's."""
    return GroupKey(hospital, True), GroupKey(hospital, False, device)


def rate(count: int, of: int) -> RateView:
    found = Proportion(count, of)
    interval = found.interval(IntervalMethod.WILSON)
    return RateView(
        value=found.value if of else None,
        low=interval.low,
        high=interval.high,
        count=count,
        of=of,
    )


def worst(states: Iterable[DriftState | None]) -> DriftState | None:
    """The worst of those that are known; None where none is."""
    return max((state for state in states if state), key=SEVERITY.index, default=None)


def window_view(window: Window) -> WindowView:
    return WindowView(since=window.start, until=window.end)


def joined_column(verified: Sequence[VerifiedResults], name: str) -> np.ndarray:
    """A column of all parts in one."""
    parts = [getattr(part, name) for part in verified]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)
