"""`./sera runs`: training runs, past and present."""

from typing import Annotated, Any

import typer
from rich.table import Table

from cli.commands import application
from cli.commands.train import run_lines, watch_run
from cli.connection import ApiClient, connect
from cli.output.progress import duration
from cli.output.results import wide_console
from cli.output.terminal import Console, print_json, print_line
from cli.output.training_progress import headline
from shared.domain.roles import Role
from shared.errors import NotFound

app = application()
MIN_ID_PREFIX = 6
"""A shorter start of an id does not identify a run."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunArgument = Annotated[
    str, typer.Argument(help="The run's id or a start of it, or `last`.")
]


class RunUnknown(NotFound):
    code = "run-unknown"
    text = "There is no training run {name!r}. The runs there are: ./sera runs list."


@app.callback()
def runs() -> None:
    """Training runs: list, show, watch, cancel, resume."""


@app.command("list")
def list_runs(as_json: AsJson = False) -> None:
    """The newest runs."""
    with connect(Role.OPERATOR) as api:
        all_runs = api.get_list("/v1/training-runs")
    if as_json:
        print_json(all_runs)
        return
    columns = (
        "run",
        "dataset",
        "recipe",
        "state",
        "asked for (UTC)",
        "model",
        "AUC (cross-validated)",
    )
    table = Table(*columns)
    for run in all_runs:
        table.add_row(*run_row(run))
    wide_console().print(
        table
        if all_runs
        else "No run yet. Ask for one: ./sera train --dataset NAME --recipe light"
    )


@app.command()
def show(run: RunArgument, as_json: AsJson = False) -> None:
    """A run with its steps and what each took."""
    with connect(Role.OPERATOR) as api:
        run_details = api.get(f"/v1/training-runs/{find_run(api, run)}")
    if as_json:
        print_json(run_details)
        return
    table = Table("step", "state", "taken up", "took", "what came of it")
    for step in run_details["steps"]:
        took = "" if step["seconds"] is None else duration(step["seconds"])
        table.add_row(
            step["name"],
            step["state"],
            str(step["attempts"]),
            took,
            step["message"] or "",
        )
    wide_console().print(headline(run_details), table)


@app.command()
def watch(run: RunArgument) -> None:
    """Follow a run until it ends."""
    with connect(Role.OPERATOR) as api:
        ended = watch_run(api, find_run(api, run), Console(stderr=True))
    Console().print("\n".join(run_lines(ended, None)), highlight=False, soft_wrap=True)
    if ended["state"] != "done":
        raise typer.Exit(1)


@app.command()
def cancel(run: RunArgument) -> None:
    """Stop a run; what is finished is kept."""
    with connect(Role.OPERATOR) as api:
        stopped = api.post(f"/v1/training-runs/{find_run(api, run)}/cancel")
    print_line(f"Cancelled. Go on where it was: ./sera runs resume {stopped['run_id']}")


@app.command()
def resume(run: RunArgument) -> None:
    """Go on with a failed or cancelled run; finished steps are not done again."""
    with connect(Role.OPERATOR) as api:
        queued = api.post(f"/v1/training-runs/{find_run(api, run)}/resume")
    print_line(f"Queued. Follow it: ./sera runs watch {queued['run_id']}")


def find_run(api: ApiClient, reference: str) -> str:
    """Return the id of the newest run that `reference` names: `last`, an id, or the start of an
    id.
    """
    for run in api.get_list("/v1/training-runs", limit=200):
        run_id = str(run["run_id"])
        is_id_prefix = len(reference) >= MIN_ID_PREFIX and run_id.startswith(reference)
        if reference == "last" or is_id_prefix:
            return run_id
    raise RunUnknown(name=reference)


def run_row(run: dict[str, Any]) -> tuple[str, ...]:
    auc = (run["metrics"] or {}).get("auc")
    state = run["state"]
    if state == "running":
        state = f"running {run['fraction']:.0%}"
    return (
        run["run_id"][:8],
        f"{run['dataset']}/{run['version'] or '-'}",
        run["recipe"],
        state,
        run["created_at"][:16].replace("T", " "),
        (run["model_digest"] or "-")[:12],
        f"{auc:.3f}" if auc else "-",
    )
