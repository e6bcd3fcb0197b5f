"""The `sera` command: a table of commands, each in a module of its own that is imported when it is called for.

A command's module offers `app`, a Typer application with one command or a group of them. `sera --help` imports them
all, so what is slow to import (torch, scikit-learn) is imported inside the command.
"""

import sys
from importlib import import_module
from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from shared.errors import SeraError

COMMANDS = {
    "demo": "cli.commands.demo",
    "up": "cli.commands.up",
    "submit": "cli.commands.submit",
    "outcome": "cli.commands.outcome",
    "case": "cli.commands.case",
    "dataset": "cli.commands.dataset",
    "train": "cli.commands.train",
    "runs": "cli.commands.runs",
    "models": "cli.commands.models",
    "card": "cli.commands.card",
    "hospital": "cli.commands.hospital",
    "monitor": "cli.commands.monitor",
    "study": "cli.commands.study",
    "predict": "cli.commands.predict",
    "key": "cli.commands.key",
    "person": "cli.commands.person",
    "audit": "cli.commands.audit",
    "doctor": "cli.commands.doctor",
    "backup": "cli.commands.backup",
    "restore": "cli.commands.restore",
    "chaos": "cli.commands.chaos",
    "load": "cli.commands.load",
    "test": "cli.commands.test",
}
"""Name and module, in the order of the help page."""


class CommandTable(TyperGroup):
    """A group that finds its commands in COMMANDS."""

    def list_commands(self, ctx: object) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> Any:
        """The command of that name, of a class that Typer keeps to itself; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(import_module(COMMANDS[cmd_name]).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="sera",
    cls=CommandTable,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def sera() -> None:
    """Malignancy risk and FNA advice for thyroid nodules on ultrasound.

    For research and decision support, not a certified device.

    Settings come from variables: `SERA_HOME` (where all data lie, `.sera/` by default), `SERA_PORT` (8000),
    `SERA_DATABASE_URL`, `SERA_BROKER_URL` and `SERA_OBJECTS_URL` (engines of your own instead of the embedded ones),
    `SERA_WEIGHTS_DIR` (where `NETWORK.pth` files lie), `SERA_RECIPES_DIR` (recipes of your own).

    The launcher installs with pip, which obeys its own variables. To get the smaller CPU build of PyTorch, remove
    `.venv`, set `PIP_EXTRA_INDEX_URL` to PyTorch's CPU wheel index, and start again.
    """


def main() -> None:
    """Run a command; what a person can act on is said in one sentence, without a traceback."""
    try:
        app(prog_name="./sera")
    except SeraError as error:
        _fail(f"{error} [{error.code}]")
    except ValidationError as error:
        first = error.errors()[0]
        variable = "SERA_" + "_".join(str(part) for part in first["loc"]).upper()
        _fail(
            f"{variable} cannot be used: {first['msg']}. "
            "Correct or unset it, then run the command again. [setting-invalid]"
        )


def _fail(sentence: str) -> None:
    print(f"SERA: {sentence}", file=sys.stderr)
    sys.exit(1)
