"""The table of commands: its help page is right without their modules, and they import only what
they use.
"""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from cli.app import COMMANDS, load_command

ROOT = Path(__file__).parents[3]
MODEL_LIBRARIES = {"celery", "fastapi", "sklearn", "torch"}
IMAGE_LIBRARIES = {"cv2", "pydicom", "scipy"}
LEDGER_LIBRARIES = {"alembic", "numpy", "sqlalchemy"}
ALL = {"minio"} | MODEL_LIBRARIES | IMAGE_LIBRARIES | LEDGER_LIBRARIES

DRAW_PHANTOMS = {"demo", "load"}
USE_SCHEMA = {"backup", "doctor", "restore"}
USE_LEDGER = {"audit", "up"}
OVER_HTTP = set(COMMANDS) - DRAW_PHANTOMS - USE_SCHEMA - USE_LEDGER


def imported_by(statement: str) -> set[str]:
    """The packages that a fresh process has imported after a statement."""
    script = f"import sys\nfrom cli.app import app, load_command\n{statement}\nprint(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_the_help_page_is_how_the_commands_own_help_begins(
    name: str,
) -> None:
    help_text = inspect.cleandoc(load_command(name).help)
    first_paragraph = help_text.partition("\n\n")[0]
    assert COMMANDS[name] == first_paragraph.replace("\n", " ")


def test_the_help_page_imports_no_command() -> None:
    imported = imported_by("app(['--help'], standalone_mode=False)")
    assert not any(module.startswith("cli.commands") for module in imported)
    assert not imported & ALL


@pytest.mark.parametrize(
    ("commands", "unused"),
    [
        (OVER_HTTP, ALL),
        (USE_LEDGER, ALL - {"numpy", "sqlalchemy"}),
        (USE_SCHEMA, ALL - LEDGER_LIBRARIES),
        (DRAW_PHANTOMS, MODEL_LIBRARIES | {"alembic", "minio", "scipy"}),
    ],
    ids=["over HTTP", "on the ledger", "on its schema", "with phantoms"],
)
def test_commands_import_no_library_that_they_do_not_use(
    commands: set[str], unused: set[str]
) -> None:
    assert (
        not imported_by(f"for name in {sorted(commands)}: load_command(name)") & unused
    )
