"""`./sera outcome`: what a case turned out to be."""

from typing import Annotated
from uuid import UUID

import typer

from cli.commands import application
from cli.connection import connect
from cli.output.terminal import Console, print_json
from shared.domain.outcomes import OutcomeSource
from shared.domain.roles import Role

app = application()


@app.command()
def outcome(
    case: Annotated[
        UUID, typer.Argument(help="The case's id, as `./sera submit --json` prints it.")
    ],
    malignant: Annotated[
        bool, typer.Option("--malignant/--benign", help="What it turned out to be.")
    ],
    source: Annotated[OutcomeSource, typer.Option(help="How it became known.")],
    consent: Annotated[
        bool, typer.Option("--consent", help="The image may be used for training.")
    ] = False,
    patient: Annotated[
        str | None,
        typer.Option(help="Your own number; only a keyed hash of it is kept."),
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="The day it was determined, e.g. 2026-01-31.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the outcome as JSON.")
    ] = False,
) -> None:
    """Record a case's outcome. A correction is a new outcome; without --consent, consent is
    withdrawn.
    """
    body = {
        "malignant": malignant,
        "source": source,
        "consent": consent,
        "patient": patient,
        "determined_on": on,
    }
    with connect(Role.SUBMITTER) as api:
        recorded = api.post(f"/v1/cases/{case}/outcome", json=body)
    if as_json:
        print_json(recorded)
        return
    label = "malignant" if recorded["malignant"] else "benign"
    permission = "may" if recorded["consent"] else "may not"
    sentence = (
        f"Recorded: {label} ({recorded['source']}). The image {permission} be used for "
        "training."
    )
    Console().print(sentence, soft_wrap=True, highlight=False)
