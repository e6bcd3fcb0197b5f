"""The `sera` command in the test's own process, where what it imports is imported already."""

import os
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
    """What a command came to, under the names that `subprocess.CompletedProcess` has for it."""

    returncode: int
    stdout: str
    stderr: str


def sera(*arguments: str, env: Mapping[str, str], folder: Path) -> Finished:
    """Run the command as `./sera` does, with this environment and in this folder."""
    stdout = StringIO()
    stderr = StringIO()
    code: str | int | None = 0
    with (
        patch.dict(os.environ, env, clear=True),
        patch.object(sys, "argv", ["sera", *arguments]),
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
