"""`./sera key`: API keys of hospitals and operators."""

from typing import Annotated

import typer
from rich.console import Console

from cli.commands import application
from cli.connection import create_key
from shared.domain.roles import Role
from shared.settings import Settings

app = application()


@app.callback()
def keys() -> None:
    """API keys of hospitals and operators."""


@app.command()
def create(
    hospital: Annotated[str | None, typer.Option(help="The hospital it belongs to; added if it is new.")] = None,
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.SUBMITTER,
    label: Annotated[str, typer.Option(help="A word to know it by.")] = "made on the command line",
) -> None:
    """Make a key and print it, the only time it is shown."""
    print(create_key(Settings(), role, hospital, label))
    Console(stderr=True).print("Keep it safe: only its hash is stored, so it cannot be shown again.")
