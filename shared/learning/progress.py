"""Saying how far a fit has come."""

from collections.abc import Mapping
from typing import Protocol

from shared.domain.messages import Message


class ProgressCallback(Protocol):
    """Called from time to time while a model is fitted."""

    def __call__(
        self,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float],
    ) -> None:
        """`stage` is one of `network`, `features`, `tuning`, `readers`, `final`; `fraction` of that stage is done."""
        ...


def ignore_progress(
    stage: str, fraction: float, message: Message, metrics: Mapping[str, float]
) -> None:
    """Says nothing."""
