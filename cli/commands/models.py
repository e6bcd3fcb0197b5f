"""`./sera models`: what was trained, what is live, what runs in the shadow; promote and roll back."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.commands import application
from cli.connection import connect
from cli.output.models import (
    comparison_lines,
    gate_lines,
    gate_verdict,
    model_lines,
    model_name,
    print_plain,
    to_minute,
)
from cli.output.results import wide_console
from cli.output.training_progress import follow
from cli.work.model_swap import Swap, wait_for_workers
from shared.domain.models import ModelUnknown
from shared.domain.roles import Role
from shared.errors import InputError

app = application()
MIN_DIGEST_PREFIX = 8
"""Letters of a digest that are taken for a whole one."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Do not wait until every worker serves it.")
]
Reason = Annotated[str | None, typer.Option(help="Why; goes into the audit trail.")]
ModelArgument = Annotated[
    str,
    typer.Argument(help="Digest, a start of it, NAME (its newest) or NAME/VERSION."),
]


class ShadowNeedsModel(InputError):
    code = "shadow-needs-model"
    text = (
        "Name a model to run in the shadow, or give --stop or --status: ./sera models "
        "shadow MODEL."
    )


@app.callback()
def models() -> None:
    """List, show, compare, promote and roll back models."""


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """All models, newest first; * marks the live one, ~ the one in the shadow."""
    with connect(Role.OPERATOR) as api:
        models = api.get("/v1/models")
    if as_json:
        print(json.dumps(models, indent=2))
        return
    table = Table(
        "",
        "model",
        "digest",
        "AUC (cross-validated)",
        "gate",
        "workers",
        "made (UTC)",
        "data",
    )
    for model in models:
        auc = model["metrics"].get("auc")
        kind = "synthetic" if model["synthetic"] else "clinical"
        mark = ("*" if model["live"] else "") + ("~" if model["shadow"] else "")
        served = ", ".join(
            [
                *model["serving"],
                *(f"refused by {each['worker']}" for each in model["refused"]),
            ]
        )
        told = (
            model_name(model),
            model["digest"][:12],
            f"{auc:.3f}" if auc else "-",
            gate_verdict(model["gate"]),
        )
        table.add_row(mark, *told, served or "-", to_minute(model["created_at"]), kind)
    wide_console().print(
        table
        if models
        else "No model yet. Train one: ./sera train --dataset NAME --recipe light"
    )


@app.command()
def show(model: ModelArgument, as_json: AsJson = False) -> None:
    """One model: its figures, what the gate says of it, who serves it."""
    with connect(Role.OPERATOR) as api:
        found = find_model(api, model)
        gate = api.get(f"/v1/models/{found['digest']}/gate") if found["gate"] else None
    if as_json:
        print(json.dumps(found | {"judgement": gate}, indent=2))
    else:
        print_plain(model_lines(found, gate))


@app.command()
def promote(
    model: ModelArgument,
    reason: Reason = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Make a model live that the gate passed against the present one, or for a reason. Workers swap
    while serving.
    """
    with connect(Role.OPERATOR) as api:
        tag = api.fetch_etag("/v1/models")
        found = find_model(api, model)
        if found["gate"] and not as_json:
            print_plain(gate_lines(api.get(f"/v1/models/{found['digest']}/gate")))
        live = api.post(
            f"/v1/models/{found['digest']}/promote", etag=tag, json={"reason": reason}
        )
        report_promotion(api, live, no_wait, as_json)


@app.command()
def gate(model: ModelArgument, as_json: AsJson = False) -> None:
    """Judge a model again, against what is live now, and wait for the verdict."""
    with connect(Role.OPERATOR) as api:
        digest = find_model(api, model)["digest"]
        run = api.post(f"/v1/models/{digest}/gate")["run_id"]
        follow(api, run, Console(stderr=True))
        judged = api.get(f"/v1/models/{digest}/gate")
    print_facts(judged, gate_lines(judged), as_json)


@app.command()
def rollback(
    reason: Reason = None, no_wait: NoWait = False, as_json: AsJson = False
) -> None:
    """Make the model live again that was live before the present one."""
    with connect(Role.OPERATOR) as api:
        live = api.post(
            "/v1/models/rollback", etag=api.fetch_etag("/v1/models"), json={"reason": reason}
        )
        report_promotion(api, live, no_wait, as_json)


@app.command()
def shadow(
    model: Annotated[str | None, typer.Argument(help="As for show.")] = None,
    share: Annotated[
        float, typer.Option(min=0.0001, max=1, help="Share of the cases that it reads.")
    ] = 1.0,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the shadow that runs.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Compare the model with the live one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a model read live cases beside the live one, out of its way; its answers reach nobody."""
    with connect(Role.OPERATOR) as api:
        if stop:
            ended = api.delete("/v1/shadow")
            print_facts(
                ended,
                [f"Model {ended['model'][:12]} left the shadow. What it said is kept."],
                as_json,
            )
        elif status:
            report = api.get(f"/v1/models/{shadow_digest(api, model)}/shadow")
            print_facts(report, comparison_lines(report), as_json)
        elif model is None:
            raise ShadowNeedsModel
        else:
            started = api.post(
                f"/v1/models/{find_model(api, model)['digest']}/shadow", json={"share": share}
            )
            said = f"Model {started['model'][:12]} reads {share:.0%} of the cases from now on."
            print_facts(started, [said, "Compare: ./sera models shadow --status"], as_json)


@app.command()
def history(as_json: AsJson = False) -> None:
    """What was live when, who made it so and why; newest first."""
    with connect(Role.OPERATOR) as api:
        rows = api.get("/v1/promotions")
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("when (UTC)", "what", "model", "digest", "gate", "by", "reason")
    for row in rows:
        told = (
            to_minute(row["at"]),
            row["kind"],
            model_name(row),
            row["model"][:12],
            row["verdict"] or "-",
        )
        table.add_row(*told, row["actor"], row["reason"] or "-")
    wide_console().print(
        table if rows else "Nothing was promoted yet: ./sera models promote MODEL"
    )


def find_model(api: Any, which: str) -> dict[str, Any]:
    """The newest of what `which` may mean; a name/version cannot stand in a path, so it is looked
    for here.
    """
    models: list[dict[str, Any]] = api.get("/v1/models")
    for model in models:
        if which in (model_name(model), model["name"]) or (
            len(which) >= MIN_DIGEST_PREFIX and model["digest"].startswith(which)
        ):
            return model
    raise ModelUnknown(name=which)


def shadow_digest(api: Any, which: str | None) -> str:
    """The digest of the model named, else of the one in the shadow."""
    if which:
        return str(find_model(api, which)["digest"])
    running = [
        str(model["digest"]) for model in api.get("/v1/models") if model["shadow"]
    ]
    if not running:
        raise ShadowNeedsModel
    return running[0]


def report_promotion(api: Any, live: dict[str, Any], no_wait: bool, as_json: bool) -> None:
    """Say what is live, and how the workers take it; exit code 1 where not all of them serve it."""
    if not as_json:
        print_plain([f"{model_name(live)} ({live['digest'][:12]}) is live."])
    swap = (
        Swap(done=True)
        if no_wait
        else wait_for_workers(api, live["digest"], Console(stderr=True))
    )
    if as_json:
        print(json.dumps(live | {"workers": None if no_wait else swap.told}, indent=2))
    else:
        print_plain(["Workers swap to it while they serve."] if no_wait else swap.lines())
    if not swap.done:
        raise typer.Exit(1)


def print_facts(facts: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        print_plain(lines)
