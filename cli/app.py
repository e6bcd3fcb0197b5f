"""The `sera` command: a table of subcommands, each in its own module.

A module is imported only when its command runs. It offers `app`, a Typer application with one
command or a group of commands. Slow libraries that not every call needs (torch, the ledger) are
imported inside its functions.
"""

import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from pydantic import ValidationError
from typer.core import TyperCommand, TyperGroup

from cli.output.terminal import print_error, printable
from shared.errors import InputError, SeraError

if TYPE_CHECKING:
    # Typer keeps the classes of its commands private, so only type checkers import them.
    from typer._click.core import Command, Context

COMMANDS = {
    "demo": (
        "Start SERA, make sure a model is live, let two demo hospitals submit sample "
        "cases, print what they get."
    ),
    "up": "Run the whole stack on this machine until Ctrl-C.",
    "submit": "Submit an image, wait for the answer and print it.",
    "outcome": (
        "Record a case's outcome. A correction is a new outcome; without --consent, "
        "consent is withdrawn."
    ),
    "case": "A case as it was submitted, and its erasure.",
    "dataset": "Labelled images to train on.",
    "train": "Train a model on a dataset, in the trainer service, and watch it.",
    "runs": "Training runs: list, show, watch, cancel, resume.",
    "models": "List, show, compare, promote and roll back models.",
    "card": "What a model is for, made from, worth and not worth: JSON, or with --html a page.",
    "hospital": "Prevalence, cut-off, referral, FNA rule, retention and other settings of each hospital.",
    "monitor": "How the model does at each hospital: drift, input quality, outcomes, coverage.",
    "study": (
        "Cross-validate everything the recipe can make of the images; write DIR/report.html, "
        "CSV tables and DIR/bundle."
    ),
    "predict": (
        "Print risk, decision and FNA advice for each image, in the order given. Exits "
        "with 1 if an image cannot be read."
    ),
    "key": "API keys of hospitals and operators.",
    "person": "People who sign in with a name and a password.",
    "audit": "The audit trail: who did what, when, from where.",
    "doctor": (
        "Check this machine and, where SERA serves, its engines, queue, backups and "
        "certificate; each with the next step."
    ),
    "backup": (
        "Back up the ledger, its objects and its models into a folder: `./sera backup "
        "FOLDER`."
    ),
    "restore": (
        "Restore into SERA_HOME, or into the engines of SERA_DATABASE_URL and "
        "SERA_OBJECTS_URL."
    ),
    "chaos": (
        "Send cases to a stack of its own while workers, broker, database, gateway, disk "
        "and clock fail or fall silent, and results are rewritten in the database."
    ),
    "load": "Send cases to a stack that runs, as many hospitals would, and report how it fared.",
    "test": "Install what the tests need, then run them all.",
}
"""Name and summary of each command, in the order of the help page.

Each command is the module of its name in cli/commands.
"""


class ArgumentUnprintable(InputError):
    code = "argument-unprintable"
    text = (
        "The argument {argument} holds control characters, which a terminal would obey. "
        "Rename the file or correct the text, then run the command again."
    )


class CommandTable(TyperGroup):
    """A group that finds its commands in COMMANDS.

    The help page lists them without their modules, some of which take a second to import.
    """

    def list_commands(self, ctx: object) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> "Command | None":
        """Return a placeholder with the summary, or None for an unknown name.

        `resolve_command` replaces the placeholder.
        """
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name])

    def resolve_command(
        self, ctx: "Context", args: list[str]
    ) -> tuple[str | None, "Command | None", list[str]]:
        """Return the name, the loaded command and its arguments."""
        name, placeholder, arguments = super().resolve_command(ctx, args)
        command = load_command(name) if name else placeholder
        return name, command, arguments


def load_command(name: str) -> "Command":
    """Import a command."""
    command = typer.main.get_command(import_module(f"cli.commands.{name}").app)
    command.name = name
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

    Settings come from variables: `SERA_HOME` (where all data lie, `.sera/` by default), `SERA_PORT`
    (8000), `SERA_DATABASE_URL`, `SERA_BROKER_URL` and `SERA_OBJECTS_URL` (engines of your own
    instead of the embedded ones), `SERA_WEIGHTS_DIR` (where `NETWORK.pth` files lie),
    `SERA_RECIPES_DIR` (recipes of your own).

    The launcher installs with pip, which obeys its own variables. To get the smaller CPU build of
    PyTorch, remove `.venv`, set `PIP_EXTRA_INDEX_URL` to PyTorch's CPU wheel index, and start
    again.
    """


def main() -> None:
    """Run a command. Expected errors are printed as a sentence, without traceback."""
    try:
        _check_arguments(sys.argv[1:])
        app(prog_name="./sera")
    except SeraError as error:
        _fail(f"{error} [{error.code}]")
    except ValidationError as error:
        first_error = error.errors()[0]
        setting = "_".join(str(part) for part in first_error["loc"])
        variable = f"SERA_{setting.upper()}"
        _fail(
            f"{variable} cannot be used: {first_error['msg']}. "
            "Correct or unset it, then run the command again. [setting-invalid]"
        )
    except Exception as error:  # noqa: BLE001 (Python itself would print the message as it is)
        from cli.work.system_errors import named_error

        named = named_error(error)
        if named is not None:
            _fail(f"{named} [{named.code}]")
        print_error(traceback.format_exc().rstrip())
        sys.exit(1)


def _check_arguments(arguments: list[str]) -> None:
    """Refuse control characters, which Typer would repeat in its messages of wrong usage.

    Raises ArgumentUnprintable.
    """
    for argument in arguments:
        if printable(argument) != argument:
            raise ArgumentUnprintable(argument=printable(argument))


def _fail(sentence: str) -> None:
    print_error(f"SERA: {sentence}")
    sys.exit(1)
