"""A release after this one, for tests: the migrations of the code, and one that comes after them.

What it adds is what a migration may add while the services of the release before go on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from unittest.mock import patch

from shared.ledger.schema import compatibility as schema

REVISION = "r9001"
MIGRATION = Path(__file__).with_name("9001_notes.py")


@contextmanager
def later_release(folder: Path) -> Iterator[None]:
    """Within it the code knows the later migration, too, which is then the newest."""
    migrations = folder / "migrations"
    copytree(schema.MIGRATIONS, migrations)
    source = MIGRATION.read_text().replace("{before}", schema.head())
    (migrations / "versions" / MIGRATION.name).write_text(source)
    try:
        with patch.object(schema, "MIGRATIONS", migrations):
            schema.revisions.cache_clear()
            yield
    finally:
        schema.revisions.cache_clear()
