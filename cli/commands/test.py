"""`sera test`: for its place on the help page. The launcher runs the tests, since it installs what they need."""

import os
from typing import Annotated

import typer

from cli.commands import application
from shared.settings import ROOT

app = application()


@app.command("test", context_settings={"ignore_unknown_options": True})
def run_tests(
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[ARGS]...")] = None,
) -> None:
    """Install what the tests need, then run them all.

    Without ARGS: ruff, the import contracts and the whole suite. With ARGS, which go to pytest: only pytest, started in
    the project's root.
    """
    os.execv(ROOT / "sera", ["sera", "test", *(arguments or [])])
