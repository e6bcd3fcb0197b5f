"""The ledger: one pool of database connections, and the transactions and sessions on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import create_engine, event

from shared.ledger.db_role import SYSTEM, translate_database_errors
from shared.ledger.deadlines import bounded_waits, keep_pool_of_abandoned
from shared.ledger.hospital_session import HospitalSession
from shared.ledger.system_session import SystemSession
from shared.ledger.transaction import Transaction

POOL_TIMEOUT_S = 10.0
CONNECT_ARGS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 20_000,
    "keepalives_idle": 20,
}
"""A server whose machine has failed does not respond. So each wait has a limit: seconds to connect,
milliseconds until the server acknowledges sent data, and seconds of silence before a keepalive
probe."""
STATEMENT_TIMEOUT_S = 60.0
"""How long a statement may take in processes other than the gateway."""


class Ledger:
    """The system of record."""

    def __init__(
        self,
        url: str,
        pool_size: int = 10,
        statement_timeout_s: float = STATEMENT_TIMEOUT_S,
    ) -> None:
        # A ping before use is unnecessary: every transaction first sets its role, which shows
        # just as well whether the connection is alive.
        self.engine = create_engine(
            url,
            hide_parameters=True,
            connect_args=CONNECT_ARGS | bounded_waits(url, statement_timeout_s),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_TIMEOUT_S,
        )
        event.listen(self.engine, "handle_error", keep_pool_of_abandoned)

    def transaction(self) -> Transaction:
        """A transaction that has not begun. The caller commits it or rolls it back."""
        return Transaction(self.engine)

    @contextmanager
    def system_session(self, actor: str) -> Iterator[SystemSession]:
        """A session over every hospital, in a transaction that is committed at the end."""
        with self._committed_transaction() as transaction:
            yield SystemSession(transaction, actor)

    @contextmanager
    def hospital_session(
        self, hospital_id: UUID, actor: str
    ) -> Iterator[HospitalSession]:
        """A session that sees one hospital's rows, in a transaction committed at the end."""
        with self._committed_transaction() as transaction:
            yield HospitalSession(transaction, hospital_id, actor)

    def ping(self) -> None:
        """Raise Unavailable unless the database responds."""
        with self._committed_transaction() as transaction:
            transaction.session_as(SYSTEM)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _committed_transaction(self) -> Iterator[Transaction]:
        transaction = self.transaction()
        try:
            with translate_database_errors():
                yield transaction
            transaction.commit()
        finally:
            transaction.rollback()
