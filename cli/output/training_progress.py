"""Shows the progress of a training run: live on a terminal, else as a line from time to time."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.connection import ApiClient
from cli.output.progress import duration
from cli.output.terminal import Console

POLL_S = 0.5
PRINT_EVERY_S = 20.0
ENDED = ("done", "failed", "cancelled")
MARKS = {"waiting": "·", "running": "▸", "done": "✓", "failed": "✗"}
SHOWN_EPOCHS = 6


def follow(api: ApiClient, run_id: str, console: Console) -> dict[str, Any]:
    """Show a run until it ends, and return it."""
    with RunDisplay(console) as display:
        for run, events in poll_run(api, run_id):
            display.show(run, events)
    return run


def poll_run(
    api: ApiClient, run_id: str
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield the run and its new log events repeatedly, until it has ended."""
    last_event_id = 0
    run = {"state": None}
    while run["state"] not in ENDED:
        run = api.get(f"/v1/training-runs/{run_id}")
        events = api.get_list(f"/v1/training-runs/{run_id}/log", after=last_event_id)
        if events:
            last_event_id = events[-1]["id"]
        yield run, events
        if run["state"] not in ENDED:
            time.sleep(POLL_S)


class RunDisplay:
    """Draws a run on a terminal; on anything else prints finished steps and epochs as lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._epochs: list[Mapping[str, Any]] = []
        self._printed_at_s = float("-inf")
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, transient=True, refresh_per_second=4)

    def __enter__(self) -> "RunDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, run: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> None:
        for event in events:
            if "loss" in event["metrics"]:
                self._epochs.append(event)
        self._epochs = self._epochs[-SHOWN_EPOCHS:]
        if self._live:
            self._live.update(draw_run(run, self._epochs))
        else:
            self._print(run, events)

    def _print(
        self, run: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
    ) -> None:
        for event in events:
            self._console.print(
                line(event), soft_wrap=True, markup=False, highlight=False
            )
        now_s = time.monotonic()
        if now_s - self._printed_at_s >= PRINT_EVERY_S:
            self._printed_at_s = now_s
            self._console.print(
                headline(run), soft_wrap=True, markup=False, highlight=False
            )


def headline(run: Mapping[str, Any]) -> str:
    """The progress of a run in one line."""
    if run["state"] == "queued":
        return "waiting for a trainer"
    time_left = ""
    if run.get("eta_s"):
        time_left = f", about {duration(run['eta_s'])} left"
    activity = run["message"] or run["stage"] or ""
    return f"{run['state']} {run['fraction']:.0%}{time_left}: {activity}".rstrip(": ")


def line(event: Mapping[str, Any]) -> str:
    """A log event of a run, with its loss and AUC."""
    figures = ", ".join(
        f"{name} {value:.3f}"
        for name, value in event["metrics"].items()
        if name in ("loss", "auc")
    )
    suffix = f" ({figures})" if figures else ""
    return f"  {event['step']}: {event['message']}{suffix}"


def draw_run(
    run: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]]
) -> RenderableType:
    """The progress bar of the run, its stages, its present steps, and the last epochs' losses."""
    bar = Table.grid()
    bar.add_row(ProgressBar(total=1.0, completed=run["fraction"], width=40))
    title = Text(
        f"{run['dataset']}/{run['version']} · {run['recipe']} · {headline(run)}",
        overflow="ellipsis",
    )
    epoch_lines = [_dimmed(line(event)) for event in epochs]
    return Group(title, bar, _stage_table(run["steps"]), *epoch_lines)


def _stage_table(steps: Sequence[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for kind in dict.fromkeys(step["kind"] for step in steps):
        stage_steps = [step for step in steps if step["kind"] == kind]
        table.add_row(*_stage_cells(kind, stage_steps))
    return table


def _stage_cells(kind: str, steps: Sequence[Mapping[str, Any]]) -> list[str]:
    count_done = sum(step["state"] == "done" for step in steps)
    present_steps = [step for step in steps if step["state"] in ("running", "failed")]
    if count_done == len(steps):
        state = "done"
    elif present_steps:
        state = present_steps[0]["state"]
    else:
        state = "waiting"
    time_spent = ""
    if count_done or present_steps:
        time_spent = duration(
            sum(step["seconds"] or 0 for step in steps if step["state"] != "waiting")
        )
    activity = "; ".join(
        f"{step['name']} {step['fraction']:.0%} {step['message'] or ''}"
        for step in present_steps
    )
    progress = f"{count_done}/{len(steps)}"
    return [MARKS[state], kind, progress, time_spent, escape(activity)]


def _dimmed(text: str) -> Text:
    return Text(text, style="dim", overflow="ellipsis", no_wrap=True)
