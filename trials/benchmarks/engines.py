"""Engines of a benchmark's own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import EmbeddedEngines
from shared.ledger.schema.migrate import migrate
from shared.settings import Settings


@contextmanager
def engine_settings(rate_per_minute: int) -> Iterator[Settings]:
    """Start empty engines in a folder that is removed afterwards, and return their settings."""
    with (
        tempfile.TemporaryDirectory() as home,
        EmbeddedEngines(Path(home)) as engines,
    ):
        migrate(engines.database_url)
        yield Settings(
            home=Path(home),
            database_url=engines.database_url,
            broker_url=engines.broker_url,
            objects_url=Path(home, "objects").as_uri(),
            rate_per_minute=rate_per_minute,
        )
