"""The system of record: opens transactions, and sessions in a transaction of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import create_engine

from shared.ledger.db_role import SYSTEM, translate_database_errors
from shared.ledger.hospital_session import HospitalSession
from shared.ledger.system_session import SystemSession
from shared.ledger.transaction import Transaction

WAIT_S = 10.0
CONNECT = {"connect_timeout": 5, "tcp_user_timeout": 20_000, "keepalives_idle": 20}
"""A server whose machine is gone says nothing: seconds to connect, milliseconds for it to acknowledge, seconds of quiet
before it is asked whether it is there."""


class Ledger:
    """One pool of connections to the database."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        # No ping before use: taking on a role is the first thing every transaction does, and shows it as well.
        self.engine = create_engine(
            url,
            hide_parameters=True,
            connect_args=CONNECT,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=WAIT_S,
        )

    def transaction(self) -> Transaction:
        """One that has not begun; whoever asks for it commits it or rolls it back."""
        return Transaction(self.engine)

    @contextmanager
    def system_session(self, actor: str) -> Iterator[SystemSession]:
        """A transaction over every hospital, committed at the end."""
        with self._committed() as transaction:
            yield SystemSession(transaction, actor)

    @contextmanager
    def hospital_session(
        self, hospital_id: UUID, actor: str
    ) -> Iterator[HospitalSession]:
        """A transaction in which only this hospital's rows exist, committed at the end."""
        with self._committed() as transaction:
            yield HospitalSession(transaction, hospital_id, actor)

    def ping(self) -> None:
        """Raise Unavailable unless the database answers."""
        with self._committed() as transaction:
            transaction.session_as(SYSTEM)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _committed(self) -> Iterator[Transaction]:
        transaction = self.transaction()
        try:
            with translate_database_errors():
                yield transaction
            transaction.commit()
        finally:
            transaction.rollback()
