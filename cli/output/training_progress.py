"""A training run as it goes: a live display where somebody looks, else a line now and then."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.connection import ApiClient
from cli.output.progress import duration

POLL_S = 0.5
TELL_EVERY_S = 20.0
ENDED = ("done", "failed", "cancelled")
MARKS = {"waiting": "·", "running": "▸", "done": "✓", "failed": "✗"}
SHOWN_EPOCHS = 6


def follow(api: ApiClient, run_id: str, console: Console) -> dict[str, Any]:
    """Show the run until it ends; returns it."""
    screen = Screen(console)
    with screen:
        for run, said in _news(api, run_id):
            screen.show(run, said)
    return run


def _news(
    api: ApiClient, run_id: str
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The run and what it said since the last look, until it has ended."""
    after = 0
    run = {"state": None}
    while run["state"] not in ENDED:
        run = api.get(f"/v1/training-runs/{run_id}")
        said = api.get(f"/v1/training-runs/{run_id}/log", after=after)
        after = said[-1]["id"] if said else after
        yield run, said
        if run["state"] not in ENDED:
            time.sleep(POLL_S)


class Screen:
    """Draws a run on a terminal; on anything else prints finished steps and epochs as lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._epochs: list[Mapping[str, Any]] = []
        self._told = float("-inf")
        self._live = (
            Live(console=console, transient=True, refresh_per_second=4)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, run: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> None:
        self._epochs = [
            *self._epochs,
            *(event for event in said if "loss" in event["metrics"]),
        ][-SHOWN_EPOCHS:]
        if self._live:
            self._live.update(drawn(run, self._epochs))
        else:
            self._tell(run, said)

    def _tell(self, run: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> None:
        for event in said:
            self._console.print(
                line(event), soft_wrap=True, markup=False, highlight=False
            )
        now = time.monotonic()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            self._console.print(
                headline(run), soft_wrap=True, markup=False, highlight=False
            )


def headline(run: Mapping[str, Any]) -> str:
    """How far the run is, in a line."""
    if run["state"] == "queued":
        return "waiting for a trainer"
    rest = f", about {duration(run['eta_s'])} left" if run.get("eta_s") else ""
    return (
        f"{run['state']} {run['fraction']:.0%}{rest}: "
        f"{run['message'] or run['stage'] or ''}"
    ).rstrip(": ")


def line(event: Mapping[str, Any]) -> str:
    """What a run said of itself, with its figures."""
    figures = {
        name: value
        for name, value in event["metrics"].items()
        if name in ("loss", "auc")
    }
    told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    return f"  {event['step']}: {event['message']}" + (f" ({told})" if told else "")


def drawn(
    run: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]]
) -> RenderableType:
    """The run's bar, its stages, the steps in work, and the last epochs' losses."""
    bar = Table.grid()
    bar.add_row(ProgressBar(total=1.0, completed=run["fraction"], width=40))
    title = Text(
        f"{run['dataset']}/{run['version']} · {run['recipe']} · {headline(run)}",
        overflow="ellipsis",
    )
    return Group(
        title, bar, _stages(run["steps"]), *(_faint(line(event)) for event in epochs)
    )


def _stages(steps: Sequence[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for kind in dict.fromkeys(step["kind"] for step in steps):
        of_kind = [step for step in steps if step["kind"] == kind]
        done = sum(step["state"] == "done" for step in of_kind)
        at_work = [step for step in of_kind if step["state"] in ("running", "failed")]
        state = (
            "done"
            if done == len(of_kind)
            else at_work[0]["state"]
            if at_work
            else "waiting"
        )
        told = "; ".join(
            f"{step['name']} {step['fraction']:.0%} {step['message'] or ''}"
            for step in at_work
        )
        took = sum(
            step["seconds"] or 0 for step in of_kind if step["state"] != "waiting"
        )
        spent = duration(took) if done or at_work else ""
        table.add_row(MARKS[state], kind, f"{done}/{len(of_kind)}", spent, escape(told))
    return table


def _faint(text: str) -> Text:
    return Text(text, style="dim", overflow="ellipsis", no_wrap=True)
