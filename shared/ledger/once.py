"""All that one request does in the ledger, in one transaction with the receipt of its answer.

So a crash leaves both or neither, and a repeat finds the answer or does the work. While `ONCE` is set, every
transaction of the ledger is a savepoint in this one; what must count whatever becomes of the request goes by
`Ledger.apart`.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.errors import Conflict
from shared.ledger.audit import AuditTrail, write_all
from shared.ledger.receipts import Answer, Receipts
from shared.ledger.standing import HOUSE, of_hospital, reachable, take

LOCK_NOT_AVAILABLE = "55P03"


class KeyInUse(Conflict):
    code = "idempotency-key-in-use"
    retryable = True
    text = "A request with this Idempotency-Key is under way. Send this one again in {retry_after_s} s for its answer."


class Answered(Exception):
    """The request was answered before; this transaction is undone."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True)
class Asked:
    """A key as one hospital, or with None the house, sent it; how long its receipt is kept and another waited for."""

    hospital: UUID | None
    key: str
    kept: timedelta
    wait_s: float

    @property
    def standing(self) -> str:
        return of_hospital(self.hospital) if self.hospital else HOUSE


class Once:
    """A transaction that begins when the ledger is first asked, by reserving the receipt."""

    def __init__(self, engine: Engine, asked: Asked, fingerprint: Callable[[], str]) -> None:
        self._engine, self._asked, self.fingerprint = engine, asked, fingerprint
        self._connection: Connection | None = None
        self._standings: list[str] = []
        self._trails: list[AuditTrail] = []
        self._after: list[Callable[[], Any]] = []
        self.answered = self.over = False

    def look(self) -> None:
        """Raise Answered now if there is an answer, or KeyReused; for work that is dear, before it is begun."""
        with reachable(), Session(self._engine) as session:
            take(session, self._asked.standing)
            self._raise_answer(session)

    def connection(self) -> Connection:
        """Raises Answered, KeyReused, KeyInUse."""
        if self._connection is None:
            self._connection = self._engine.connect()
            try:
                self._connection.begin()
                self._reserve()
            except BaseException:
                self._give_back()
                raise
        return self._connection

    def enter(self, standing: str) -> None:
        """A savepoint takes this standing."""
        self._standings.append(standing)

    def leave(self) -> None:
        """It ended; who is around it has its own standing again."""
        self._standings.pop()
        if self._standings and self._connection is not None:
            self._connection.exec_driver_sql(self._standings[-1])

    def tell(self, trail: AuditTrail) -> None:
        """Events are written at the end, so that no chain is held while the request goes on."""
        self._trails.append(trail)

    def after(self, call: Callable[[], Any]) -> None:
        self._after.append(call)

    def keep(self, answer: Answer) -> None:
        """Write receipt and events, commit, and do what was to be done after it."""
        if self._connection is not None:
            with reachable():
                self._write(answer)
                self._connection.commit()
            self._give_back()
        for call in self._after:
            call()

    def undo(self) -> None:
        """Give the connection back; what was not committed is as if it had never been."""
        self.over = True
        self._give_back()

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _write(self, answer: Answer) -> None:
        with self._session() as session:
            take(session, self._asked.standing)
            self._receipts(session).keep(self._asked.key, answer)
            take(session, HOUSE)
            write_all(session, self._trails)
            session.commit()

    def _reserve(self) -> None:
        with self._session() as session:
            take(
                session,
                f"{self._asked.standing}; SET LOCAL lock_timeout = '{self._asked.wait_s:g}s'",
            )
            try:
                reserved = self._receipts(session).reserve(self._asked.key, self.fingerprint())
            except OperationalError as lost:
                if getattr(lost.orig, "pgcode", None) == LOCK_NOT_AVAILABLE:
                    raise KeyInUse(retry_after_s=1) from lost
                raise
            if not reserved:
                self._raise_answer(session)
            session.connection().exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
            session.commit()

    def _raise_answer(self, session: Session) -> None:
        answer = self._receipts(session).find(self._asked.key, self.fingerprint())
        if answer is not None:
            self.answered = True
            raise Answered(answer)

    def _receipts(self, session: Session) -> Receipts:
        return Receipts(session, self._asked.hospital, self._asked.kept)

    def _session(self) -> Session:
        """In the transaction itself: if anything here fails, all of it is undone."""
        return Session(self._connection, join_transaction_mode="rollback_only")


ONCE: ContextVar[Once | None] = ContextVar("once", default=None)


def current() -> Once | None:
    """The request that is being done once. One that is over is none: a connection's next request may come in the
    context in which its reading was resumed, which is the request's before."""
    once = ONCE.get()
    return None if once is None or once.over else once


def after_commit(call: Callable[[], Any]) -> None:
    """Do this when what was written is there for others: at once, or at the end of a request that is done once."""
    once = current()
    if once is None:
        call()
    else:
        once.after(call)


def look_for_answer(fingerprint: str) -> None:
    """For a route that knows its body better than by its bytes: raise Answered if it was answered before."""
    if once := current():
        once.fingerprint = lambda: fingerprint
        once.look()
