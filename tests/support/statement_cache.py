"""SQL that is compiled once in a process of tests, not once for the database of each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, create_engine
from sqlalchemy.util import LRUCache

from shared.ledger import ledger

CACHE_SIZE = 2000
"""Statements; an engine's own default is 500, and all of the tests' databases share these."""


@contextmanager
def shared_statements(url: str) -> Iterator[None]:
    """Every ledger opened within has one dialect and one cache of compiled statements.

    SQLAlchemy keeps what it compiled by the dialect, and makes a dialect for each engine. `url` is
    of any database of the server, which the dialect learns its version from.
    """
    first = create_engine(url)
    first.connect().close()
    first.dispose()
    cache = LRUCache(CACHE_SIZE)

    def create(url: str, **options: Any) -> Engine:
        engine = create_engine(url, **options)
        engine.dialect = first.dialect
        engine.update_execution_options(compiled_cache=cache)
        return engine

    with patch.object(ledger, "create_engine", create):
        yield
