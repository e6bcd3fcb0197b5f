"""`./sera models`: list, show and compare models, promote one, roll back, run one in the shadow."""

from typing import Annotated, Any

import typer
from rich.table import Table

from cli.commands import application
from cli.connection import ApiClient, connect
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
from cli.output.terminal import Console, print_json
from cli.output.training_progress import follow
from cli.work.model_swap import wait_for_workers
from shared.domain.models import ModelUnknown
from shared.domain.roles import Role
from shared.errors import InputError

app = application()
MIN_DIGEST_PREFIX = 8
"""A shorter start of a digest does not identify a model."""
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
        models = api.get_list("/v1/models")
    if as_json:
        print_json(models)
        return
    if not models:
        wide_console().print(
            "No model yet. Train one: ./sera train --dataset NAME --recipe light"
        )
        return
    columns = (
        "",
        "model",
        "digest",
        "AUC (cross-validated)",
        "gate",
        "workers",
        "made (UTC)",
        "data",
    )
    table = Table(*columns)
    for model in models:
        table.add_row(*_model_row(model))
    wide_console().print(table)


def _model_row(model: dict[str, Any]) -> list[str]:
    auc = model["metrics"].get("auc")
    live_mark = "*" if model["live"] else ""
    shadow_mark = "~" if model["shadow"] else ""
    refusing_workers = [f"refused by {row['worker']}" for row in model["refused"]]
    workers = ", ".join([*model["serving"], *refusing_workers])
    return [
        live_mark + shadow_mark,
        model_name(model),
        model["digest"][:12],
        f"{auc:.3f}" if auc else "-",
        gate_verdict(model["gate"]),
        workers or "-",
        to_minute(model["created_at"]),
        "synthetic" if model["synthetic"] else "clinical",
    ]


@app.command()
def show(model: ModelArgument, as_json: AsJson = False) -> None:
    """One model: its figures, what the gate says of it, who serves it."""
    with connect(Role.OPERATOR) as api:
        facts = find_model(api, model)
        gate = None
        if facts["gate"]:
            gate = api.get(f"/v1/models/{facts['digest']}/gate")
    if as_json:
        print_json(facts | {"judgement": gate})
    else:
        print_plain(model_lines(facts, gate))


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
        etag = api.fetch_etag("/v1/models")
        facts = find_model(api, model)
        path = f"/v1/models/{facts['digest']}"
        if facts["gate"] and not as_json:
            print_plain(gate_lines(api.get(f"{path}/gate")))
        live = api.post(f"{path}/promote", etag=etag, json={"reason": reason})
        report_promotion(api, live, no_wait=no_wait, as_json=as_json)


@app.command()
def gate(model: ModelArgument, as_json: AsJson = False) -> None:
    """Judge a model again, against what is live now, and wait for the verdict."""
    with connect(Role.OPERATOR) as api:
        digest = find_model(api, model)["digest"]
        run_id = api.post(f"/v1/models/{digest}/gate")["run_id"]
        follow(api, run_id, Console(stderr=True))
        judgement = api.get(f"/v1/models/{digest}/gate")
    print_facts(judgement, gate_lines(judgement), as_json)


@app.command()
def rollback(
    reason: Reason = None, no_wait: NoWait = False, as_json: AsJson = False
) -> None:
    """Make the model live again that was live before the present one."""
    with connect(Role.OPERATOR) as api:
        etag = api.fetch_etag("/v1/models")
        live = api.post("/v1/models/rollback", etag=etag, json={"reason": reason})
        report_promotion(api, live, no_wait=no_wait, as_json=as_json)


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
            line = f"Model {ended['model'][:12]} left the shadow. What it said is kept."
            print_facts(ended, [line], as_json)
        elif status:
            digest = shadow_digest(api, model)
            report = api.get(f"/v1/models/{digest}/shadow")
            print_facts(report, comparison_lines(report), as_json)
        elif model is None:
            raise ShadowNeedsModel
        else:
            digest = find_model(api, model)["digest"]
            started = api.post(f"/v1/models/{digest}/shadow", json={"share": share})
            lines = [
                f"Model {started['model'][:12]} reads {share:.0%} of the cases from now on.",
                "Compare: ./sera models shadow --status",
            ]
            print_facts(started, lines, as_json)


@app.command()
def history(as_json: AsJson = False) -> None:
    """What was live when, who made it so and why; newest first."""
    with connect(Role.OPERATOR) as api:
        promotions = api.get_list("/v1/promotions")
    if as_json:
        print_json(promotions)
        return
    if not promotions:
        wide_console().print("Nothing was promoted yet: ./sera models promote MODEL")
        return
    columns = ("when (UTC)", "what", "model", "digest", "gate", "by", "reason")
    table = Table(*columns)
    for promotion in promotions:
        cells = [
            to_minute(promotion["at"]),
            promotion["kind"],
            model_name(promotion),
            promotion["model"][:12],
            promotion["verdict"] or "-",
            promotion["actor"],
            promotion["reason"] or "-",
        ]
        table.add_row(*cells)
    wide_console().print(table)


def find_model(api: ApiClient, reference: str) -> dict[str, Any]:
    """Return the newest model that `reference` names, or raise ModelUnknown.

    The search happens here because NAME/VERSION contains a slash and cannot be part of a path.
    """
    models: list[dict[str, Any]] = api.get_list("/v1/models")
    is_digest_prefix = len(reference) >= MIN_DIGEST_PREFIX
    for model in models:
        if reference in (model_name(model), model["name"]):
            return model
        if is_digest_prefix and model["digest"].startswith(reference):
            return model
    raise ModelUnknown(name=reference)


def shadow_digest(api: ApiClient, reference: str | None) -> str:
    """Return the digest of the named model, or of the shadow model if no model is named."""
    if reference:
        return str(find_model(api, reference)["digest"])
    for model in api.get_list("/v1/models"):
        if model["shadow"]:
            return str(model["digest"])
    raise ShadowNeedsModel


def report_promotion(
    api: ApiClient, live: dict[str, Any], no_wait: bool, as_json: bool
) -> None:
    """Print which model is live and which workers serve it.

    Exits with 1 if a worker does not serve it.
    """
    digest = live["digest"]
    if not as_json:
        print_plain([f"{model_name(live)} ({digest[:12]}) is live."])
    if no_wait:
        if as_json:
            print_json(live | {"workers": None})
        else:
            print_plain(["Workers swap to it while they serve."])
        return
    swap = wait_for_workers(api, digest, Console(stderr=True))
    if as_json:
        print_json(live | {"workers": swap.to_json()})
    else:
        print_plain(swap.lines())
    if not swap.complete:
        raise typer.Exit(1)


def print_facts(facts: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_plain(lines)
