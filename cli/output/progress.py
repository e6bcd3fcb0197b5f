"""How far long work has come: bars where somebody looks, else a line now and then."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from shared.domain.messages import Message

PRINT_EVERY_S = 30.0
SPEED_WINDOW_S = 600.0


class StageProgress:
    """A `shared.learning.Progress` on stderr: one bar for each stage, with the
    time it still needs.
    """

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
        )
        rest = TimeRemainingColumn(), TextColumn("{task.fields[message]}")
        self._bars = Progress(
            *columns,
            *rest,
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=SPEED_WINDOW_S,
        )
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._stage = ""
        self._began = 0.0
        self._told = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(
        self,
        stage: str,
        fraction: float,
        message: Message | str,
        metrics: Mapping[str, float],
    ) -> None:
        if self._console.is_terminal:
            self._draw(stage, fraction, str(message))
        else:
            self._tell(stage, fraction, str(message))

    def _draw(self, stage: str, fraction: float, message: str) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(
                escape(stage), total=1.0, message=""
            )
        task = self._tasks[stage]
        if (
            fraction < self._bars.tasks[task].completed
        ):  # the stage has begun anew, for another network
            self._bars.reset(task)
        self._bars.update(task, completed=fraction, message=escape(message))

    def _tell(self, stage: str, fraction: float, message: str) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage = stage
            self._began = now
            self._told = -PRINT_EVERY_S
        if now - self._told >= PRINT_EVERY_S:
            self._told = now
            self._console.print(
                line(stage, fraction, message, now - self._began),
                soft_wrap=True,
                markup=False,
            )


class PlainProgress(StageProgress):
    """The same for work that has no figures of its own."""

    def __call__(
        self,
        stage: str,
        fraction: float,
        message: Message | str,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        super().__call__(stage, fraction, message, metrics or {})


def line(stage: str, fraction: float, message: str, spent_s: float) -> str:
    """One line of a log; the rest is estimated once a twentieth is done."""
    rest = (
        f", about {duration(spent_s * (1 - fraction) / fraction)} left"
        if 0.05 <= fraction < 1 and spent_s
        else ""
    )
    return f"{stage} {fraction:.0%}{rest}: {message}"


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    hours = seconds / 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{hours:.1f} h"
