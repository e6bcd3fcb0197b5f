"""The callback that reports the progress of a fit."""

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
        """Report progress.

        Parameters
        ----------
        stage : `network`, `features`, `tuning`, `readers` or `final`
        fraction : the completed part of this stage, from 0 to 1
        """
        ...


def report_part(
    progress: ProgressCallback, number: int, count: int, *, prefix: str = ""
) -> ProgressCallback:
    """Return a callback for one of `count` equal parts of a stage; `number` counts them from 0.

    `prefix` is put before the names of stages.
    """

    def report(
        stage: str, fraction: float, message: Message, metrics: Mapping[str, float]
    ) -> None:
        progress(f"{prefix}{stage}", (number + fraction) / count, message, metrics)

    return report


def ignore_progress(
    stage: str, fraction: float, message: Message, metrics: Mapping[str, float]
) -> None:
    """Report nothing."""
