"""`./sera train`: a training run through the queue, with live progress."""

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.commands import application
from cli.connection import Api, connect
from shared.domain.roles import Role

app = application()

POLL_S = 0.5
FINAL = ("done", "failed", "cancelled")


@app.command()
def train(
    dataset: Annotated[str, typer.Option(help="Name of the dataset.")],
    recipe: Annotated[str, typer.Option(help="Name of the recipe, e.g. starter or light.")],
    seed: Annotated[int, typer.Option(help="Equal seeds on equal data make equal models.")] = 0,
    promote: Annotated[bool, typer.Option("--promote", help="Make the model live when it is done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the finished run as JSON.")] = False,
) -> None:
    """Train a model on a dataset, in the trainer service."""
    console = Console(stderr=True)
    with connect(Role.OPERATOR) as api:
        run = follow(api, request(api, dataset, recipe, seed), console)
        if run["state"] == "done" and promote:
            api.post(f"/v1/models/{run['model_digest']}/promote", json={"reason": "asked for with --promote"})
    if as_json:
        print(json.dumps(run, indent=2))
    else:
        Console().print("\n".join(report(run, promote)), highlight=False, soft_wrap=True)
    if run["state"] != "done":
        raise typer.Exit(1)


def request(api: Api, dataset: str, recipe: str, seed: int = 0) -> str:
    return api.post("/v1/training-runs", json={"dataset": dataset, "recipe": recipe, "seed": seed})["run_id"]


def follow(api: Api, run_id: str, console: Console) -> dict[str, Any]:
    """Show the run's progress until it ends; returns it."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("waiting for a trainer", total=1.0)
        while (run := api.get(f"/v1/training-runs/{run_id}"))["state"] not in FINAL:
            said = ": ".join(part for part in (run["stage"], run["message"]) if part)
            bar.update(task, completed=run["fraction"], description=said or "waiting for a trainer")
            time.sleep(POLL_S)
    return run


def report(run: dict[str, Any], promoted: bool) -> list[str]:
    if run["state"] != "done":
        return [f"The run ended as {run['state']}: {run['message'] or run['reason']}"]
    metrics, digest = run["metrics"], run["model_digest"]
    lines = [
        f"Model {digest[:12]} from {metrics['images']:.0f} images, {metrics['prevalence']:.0%} of them malignant.",
        f"Cross-validated AUC {metrics['auc']:.3f} (95 % interval {metrics['auc_low']:.3f}-{metrics['auc_high']:.3f}), "
        "by patient where patients are known.",
    ]
    step = "It is live." if promoted else f"Make it live: ./sera models promote {digest[:12]}"
    return [*lines, step]
