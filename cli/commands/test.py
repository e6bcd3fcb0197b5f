"""`sera test`: exists only so that the help page lists it. The launcher runs the tests, because it
installs the packages that they need.
"""

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

    Without ARGS: the checks of the source (ruff, import contracts) and every test, the heavy ones
    in a short form. With --long alone: the same with every test in its long form. Other ARGS go to
    pytest, which then runs without the checks, in the project's root.
    """
    os.execv(ROOT / "sera", ["sera", "test", *(arguments or [])])
