"""`./sera train`: start a training run in the trainer service and follow its progress."""

from typing import Annotated, Any

import typer

from cli.commands import application
from cli.connection import ApiClient, ApiProblem, connect
from cli.output.terminal import Console, print_json, print_line
from cli.output.training_progress import follow
from shared.domain.roles import Role
from shared.errors import InputError

app = application()


class NothingToTrain(InputError):
    code = "nothing-to-train"
    text = (
        "Say what to train: --dataset NAME --recipe NAME. With --watch alone the newest "
        "run is followed, if any."
    )


DatasetName = Annotated[str | None, typer.Option(help="Name of the dataset.")]
RecipeName = Annotated[
    str | None,
    typer.Option(help="Name of a recipe, e.g. starter or light, or of your own."),
]
Version = Annotated[
    int | None,
    typer.Option(
        help="A frozen version; left out, the dataset is frozen as it is now."
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(help="Folds of cross-validation, in place of the recipe's."),
]
Seed = Annotated[int, typer.Option(help="Equal seeds on equal data make equal models.")]
Promote = Annotated[
    bool,
    typer.Option("--promote", help="Make the model live when it passes the gate."),
]
Reason = Annotated[
    str | None,
    typer.Option(
        help="With --promote: why it should be live even if it does not pass."
    ),
]
Watch = Annotated[
    bool | None,
    typer.Option(
        "--watch/--detach",
        help="Follow the run, as is usual, or print its id; alone: the newest run.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the run as JSON.")]


@app.command()
def train(
    dataset: DatasetName = None,
    recipe: RecipeName = None,
    version: Version = None,
    folds: Folds = None,
    seed: Seed = 0,
    promote: Promote = False,
    reason: Reason = None,
    watch: Watch = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on a dataset, in the trainer service, and watch it.

    Ctrl-C stops watching, not the training.
    """
    console = Console(stderr=True)
    with connect(Role.OPERATOR) as api:
        run_id = start_or_find_run(
            api, dataset, recipe, watch, version=version, folds=folds, seed=seed
        )
        if watch is False:
            print_started_run(api, run_id, as_json)
            return
        run = watch_run(api, run_id, console)
        promotion: dict[str, Any] | ApiProblem | None = None
        if promote and run["state"] == "done":
            promotion = try_promotion(api, run, reason)
    if as_json:
        print_json(run)
        report_refusal(console, promotion)
    else:
        text = "\n".join(run_lines(run, promotion))
        Console().print(text, highlight=False, soft_wrap=True)
    if run["state"] != "done" or isinstance(promotion, ApiProblem):
        raise typer.Exit(1)


def print_started_run(api: ApiClient, run_id: str, as_json: bool) -> None:
    if as_json:
        run = api.get(f"/v1/training-runs/{run_id}")
        print_json(run)
    else:
        print_line(run_id)


def report_refusal(
    console: Console, promotion: dict[str, Any] | ApiProblem | None
) -> None:
    """Print why the model was not promoted, if the gateway refused it."""
    if isinstance(promotion, ApiProblem):
        console.print(
            f"Not promoted: {promotion} [{promotion.code}]",
            soft_wrap=True,
            markup=False,
        )


def start_or_find_run(
    api: ApiClient,
    dataset: str | None,
    recipe: str | None,
    watch: bool | None,
    **options: int | None,
) -> str:
    """Start a run and return its id; with --watch alone, return the id of the newest run."""
    if dataset and recipe:
        return request_run(api, dataset, recipe, **options)
    if watch and not dataset and not recipe:
        newest_runs = api.get_list("/v1/training-runs", limit=1)
        if newest_runs:
            return str(newest_runs[0]["run_id"])
    raise NothingToTrain


def request_run(
    api: ApiClient, dataset: str, recipe: str, **options: int | None
) -> str:
    """Queue a run and return its id. `options` are version, folds and seed; None is left out."""
    given_options = {
        name: value for name, value in options.items() if value is not None
    }
    body = {"dataset": dataset, "recipe": recipe, **given_options}
    return str(api.post("/v1/training-runs", json=body)["run_id"])


def watch_run(api: ApiClient, run_id: str, console: Console) -> dict[str, Any]:
    """Follow a run, and return it when it has ended."""
    try:
        return follow(api, run_id, console)
    except KeyboardInterrupt:
        console.print(
            f"The run goes on. Follow it: ./sera runs watch {run_id}; stop it: ./sera runs "
            f"cancel {run_id}"
        )
        raise typer.Exit(130) from None


def try_promotion(
    api: ApiClient, run: dict[str, Any], reason: str | None
) -> dict[str, Any] | ApiProblem:
    """Promote the run's model; return the live model, or the gateway's refusal."""
    try:
        live: dict[str, Any] = api.post(
            f"/v1/models/{run['model_digest']}/promote", json={"reason": reason}
        )
    except ApiProblem as problem:
        return problem
    return live


def run_lines(
    run: dict[str, Any], promotion: dict[str, Any] | ApiProblem | None
) -> list[str]:
    if run["state"] != "done":
        line = f"The run ended as {run['state']}: {run['message'] or run['reason']}"
        if run["state"] == "failed":
            line += f" Go on where it was: ./sera runs resume {run['run_id']}"
        return [line]
    metrics = run["metrics"]
    digest = run["model_digest"]
    lines = [
        (
            f"Model {digest[:12]} from {metrics['images']:.0f} images, "
            f"{metrics['prevalence']:.0%} of them malignant."
        ),
        (
            f"Cross-validated AUC {metrics['auc']:.3f} (95 % interval "
            f"{metrics['auc_low']:.3f}-{metrics['auc_high']:.3f}), "
            "by patient where patients are known."
        ),
    ]
    for step in run["steps"]:
        if step["kind"] == "gate" and step["message"]:
            lines.append(step["message"])
    if isinstance(promotion, ApiProblem):
        lines.append(f"Not promoted: {promotion} [{promotion.code}]")
    elif promotion:
        lines.append("It is live.")
    else:
        lines.append(f"Make it live: ./sera models promote {digest[:12]}")
    return lines
