"""Runs the `sera` command in the test's own process, where its imports are already loaded."""

import os
import shlex
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from cli.app import main


@dataclass(frozen=True)
class Finished:
    """The outcome of a command, with the attribute names of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def command_words(command: object, *arguments: object) -> list[str]:
    """The words of a command line.

    `command` is split as a shell splits it. The further arguments, for example paths, stay whole.
    """
    return [*shlex.split(str(command)), *[str(argument) for argument in arguments]]


def sera(*arguments: str, env: Mapping[str, str], folder: Path) -> Finished:
    """Run the command as `./sera` does, with this environment and in this folder."""
    stdout = StringIO()
    stderr = StringIO()
    code: str | int | None = 0
    with (
        patch.dict(os.environ, env, clear=True),
        patch.object(sys, "argv", ["sera", *command_words(*arguments)]),
        chdir(folder),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return Finished(returncode=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())
