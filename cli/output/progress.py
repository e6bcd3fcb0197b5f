"""Shows the progress of long work: bars on a terminal, else a line from time to time."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cli.output.terminal import Console
from shared.domain.messages import Message

PRINT_EVERY_S = 30.0
SPEED_WINDOW_S = 600.0


class StageProgress:
    """Implements `shared.learning.ProgressCallback` on a console: a bar and the
    remaining time per stage.
    """

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[message]}"),
        )
        self._bars = Progress(
            *columns,
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=SPEED_WINDOW_S,
        )
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._stage = ""
        self._stage_started_s = 0.0
        self._printed_at_s = 0.0

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
            self._print(stage, fraction, str(message))

    def _draw(self, stage: str, fraction: float, message: str) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(
                escape(stage), total=1.0, message=""
            )
        task = self._tasks[stage]
        if fraction < self._bars.tasks[task].completed:
            # The stage has started again, for another network.
            self._bars.reset(task)
        self._bars.update(task, completed=fraction, message=escape(message))

    def _print(self, stage: str, fraction: float, message: str) -> None:
        now_s = time.monotonic()
        if stage != self._stage:
            self._stage = stage
            self._stage_started_s = now_s
            self._printed_at_s = -PRINT_EVERY_S
        if now_s - self._printed_at_s >= PRINT_EVERY_S:
            self._printed_at_s = now_s
            text = line(stage, fraction, message, now_s - self._stage_started_s)
            self._console.print(text, soft_wrap=True, markup=False)


class PlainProgress(StageProgress):
    """The same for work without metrics."""

    def __call__(
        self,
        stage: str,
        fraction: float,
        message: Message | str,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        super().__call__(stage, fraction, message, metrics or {})


def line(stage: str, fraction: float, message: str, spent_s: float) -> str:
    """One line of a log. The remaining time is estimated once a twentieth is done."""
    time_left = ""
    if 0.05 <= fraction < 1 and spent_s:
        time_left = f", about {duration(spent_s * (1 - fraction) / fraction)} left"
    return f"{stage} {fraction:.0%}{time_left}: {message}"


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    hours = seconds / 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{hours:.1f} h"
