"""Counts what a ledger's engine sends to the database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, event

FRESH = "transaction is fresh"


@dataclass
class StatementCount:
    """Every statement in the order of its start, role changes and savepoints included, BEGIN and
    COMMIT left out.

    A transaction counts from its first statement on.
    """

    statements: list[str] = field(default_factory=list)
    transactions: int = 0

    def __str__(self) -> str:
        """For the message of an assertion that fails."""
        lines = [" ".join(statement.split())[:160] for statement in self.statements]
        head = f"{len(lines)} statements in {self.transactions} transactions:"
        return "\n".join([head, *lines])


@contextmanager
def count_statements(engine: Engine) -> Iterator[StatementCount]:
    """Count what goes through this engine, whichever thread sends it."""
    count = StatementCount()
    lock = threading.Lock()

    def note_begin(connection: Connection) -> None:
        connection.info[FRESH] = True

    def note_statement(
        connection: Connection, _cursor: object, statement: str, *_: object
    ) -> None:
        with lock:
            count.statements.append(statement)
            if connection.info.pop(FRESH, False):
                count.transactions += 1

    event.listen(engine, "begin", note_begin)
    event.listen(engine, "before_cursor_execute", note_statement)
    try:
        yield count
    finally:
        event.remove(engine, "begin", note_begin)
        event.remove(engine, "before_cursor_execute", note_statement)
