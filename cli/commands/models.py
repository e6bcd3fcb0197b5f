"""`./sera models`: what was trained, what is live."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.commands import application
from cli.connection import connect
from cli.results import wide_console
from shared.domain.roles import Role
from shared.ledger.models import ModelUnknown

app = application()
SURE = 8
"""Letters of a digest that are taken for a whole one."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WhichModel = Annotated[str, typer.Argument(help="Digest, a start of it, NAME (its newest) or NAME/VERSION.")]


@app.callback()
def models() -> None:
    """List, show and promote models."""


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """All models, newest first; * marks the live one."""
    with connect(Role.OPERATOR) as api:
        models = api.get("/v1/models")
    if as_json:
        print(json.dumps(models, indent=2))
        return
    table = Table("", "model", "digest", "AUC (cross-validated)", "made (UTC)", "data")
    for model in models:
        auc, kind = model["metrics"].get("auc"), "synthetic" if model["synthetic"] else "clinical"
        told = (
            name(model),
            model["digest"][:12],
            f"{auc:.3f}" if auc else "-",
            model["created_at"][:16].replace("T", " "),
            kind,
        )
        table.add_row("*" if model["live"] else "", *told)
    wide_console().print(table if models else "No model yet. Train one: ./sera train --dataset NAME --recipe light")


@app.command()
def show(model: WhichModel) -> None:
    """One model with its metrics, as JSON."""
    with connect(Role.OPERATOR) as api:
        print(json.dumps(find(api, model), indent=2))


@app.command()
def promote(
    model: WhichModel, reason: Annotated[str | None, typer.Option(help="Why; goes into the audit trail.")] = None
) -> None:
    """Make a model live; workers swap to it while serving."""
    with connect(Role.OPERATOR) as api:
        digest = find(api, model)["digest"]
        live = api.post(f"/v1/models/{digest}/promote", json={"reason": reason})
    Console().print(f"{name(live)} ({live['digest'][:12]}) is live. Workers swap to it with their next batch.")


def find(api: Any, which: str) -> dict[str, Any]:
    """The newest of what `which` may mean; a name/version cannot stand in a path, so it is looked for here."""
    for model in api.get("/v1/models"):
        if which in (name(model), model["name"]) or (len(which) >= SURE and model["digest"].startswith(which)):
            return model
    raise ModelUnknown(name=which)


def name(model: dict[str, Any]) -> str:
    return f"{model['name']}/{model['version']}"
