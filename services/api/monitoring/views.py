"""From figures to what dashboards are answered with, where several answers need the same."""

from collections.abc import Iterable, Sequence

import numpy as np

from services.api.monitoring.schemas import RateView, WindowView
from shared.ledger.observations import Verified, Window
from shared.statistics import DriftState, IntervalMethod, Proportion

SEVERITY = (DriftState.TOO_FEW, DriftState.OK, DriftState.WATCH, DriftState.ALARM)
"""From the least telling to the worst."""


def rate(count: int, of: int) -> RateView:
    found = Proportion(count, of)
    interval = found.interval(IntervalMethod.WILSON)
    return RateView(value=found.value if of else None, low=interval.low, high=interval.high, count=count, of=of)


def worst(states: Iterable[DriftState | None]) -> DriftState | None:
    """The worst of those that are known; None where none is."""
    return max((state for state in states if state), key=SEVERITY.index, default=None)


def window_view(window: Window) -> WindowView:
    return WindowView(since=window.since, until=window.until)


def joined(verified: Sequence[Verified], name: str) -> np.ndarray:
    """A column of all parts in one."""
    parts = [getattr(part, name) for part in verified]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)
