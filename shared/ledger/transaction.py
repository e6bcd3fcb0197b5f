"""One transaction after another on at most one connection: its role, its audit events, what follows its commit.

A transaction begins when a repository is first used, and ends with `commit` or `rollback`; the next use of a repository
begins another. Audit events are written last, so that no chain of them is locked while the transaction goes on.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.ledger.audit.repository import AuditTrail, write_all
from shared.ledger.db_role import SYSTEM, DatabaseRole, translate_database_errors
from shared.observability.logs import log

Made = TypeVar("Made")
Result = TypeVar("Result")


class Transaction:
    """Not for two threads at once; one after the other may use it."""

    def __init__(self, engine: Engine) -> None:
        self._session = Session(engine, expire_on_commit=False)
        self._role: DatabaseRole | None = None
        self._audit_trails: list[AuditTrail] = []
        self._callbacks: list[Callable[[], object]] = []

    @property
    def is_open(self) -> bool:
        """Whether it has begun and holds a connection."""
        return self._session.in_transaction()

    @property
    def session(self) -> Session:
        """SQLAlchemy's session, with whichever role the transaction has."""
        return self._session

    def session_as(self, role: DatabaseRole) -> Session:
        """SQLAlchemy's session once the transaction has this role. Raises RolesMissing, Unavailable."""
        if role != self._role or not self.is_open:
            self._take(role)
        return self._session

    def run_first(self, statement: Callable[[Session], Result]) -> Result:
        """The transaction's first statement; where the pool's connection had died, once more on a new one."""
        try:
            return statement(self._session)
        except DBAPIError as lost:
            if not lost.connection_invalidated:
                raise
            self._session.rollback()
            return statement(self._session)

    def note_role(self, role: DatabaseRole) -> None:
        """Note a role that a statement has taken on by itself (`shared.ledger.hospitals.authentication`)."""
        self._role = role

    def add_audit_trail(self, trail: AuditTrail) -> None:
        """Have the events of this trail written before the commit."""
        self._audit_trails.append(trail)

    def on_commit(self, callback: Callable[[], object]) -> None:
        """Call this once the transaction is committed, so that others can see what it wrote."""
        self._callbacks.append(callback)

    def commit(self) -> None:
        """Write the audit events, commit, give the connection back, then call the `on_commit` callbacks.

        A callback that fails is logged: what it was to tell of is committed all the same.
        """
        if self.is_open or any(trail.pending for trail in self._audit_trails):
            with translate_database_errors():
                self._write_audit_events()
                self._session.commit()
        callbacks = self._callbacks
        self._end()
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 (the others are to be called, too)
                log().error("transaction.callback-failed", exc_info=error)

    def rollback(self) -> None:
        """Undo what was not committed, and give the connection back."""
        for trail in self._audit_trails:
            trail.take()
        self._end()

    def _take(self, role: DatabaseRole) -> None:
        with translate_database_errors():
            if self.is_open:
                self._session.flush()  # what is pending belongs to the role it was added under
                role.assume(self._session)
            else:
                self.run_first(role.assume)
        self._role = role

    def _write_audit_events(self) -> None:
        pending = [trail for trail in self._audit_trails if trail.pending]
        if not pending:
            return
        roles = {trail.role for trail in pending}
        role = roles.pop() if len(roles) == 1 else SYSTEM
        write_all(self.session_as(role), pending)

    def _end(self) -> None:
        try:
            self._session.close()
        except DBAPIError:  # its connection is lost, and what was to be undone with it
            self._session.invalidate()
        self._role = None
        self._callbacks = []


class LedgerSession:
    """What one role may see and write through a transaction: its repositories are made when first asked for."""

    def __init__(
        self, transaction: Transaction, role: DatabaseRole, actor: str
    ) -> None:
        self.transaction = transaction
        self.role = role
        self.actor = actor
        self.repositories: dict[str, Any] = {}
        self._trail: AuditTrail | None = None

    @property
    def sql(self) -> Session:
        """SQLAlchemy's session, with this session's role."""
        return self.transaction.session_as(self.role)

    @property
    def trail(self) -> AuditTrail:
        """Where this session's repositories record events."""
        if self._trail is None:
            self._trail = AuditTrail(self.sql, self.actor, self.role.hospital_id)
            self.transaction.add_audit_trail(self._trail)
        return self._trail


class repository(Generic[Made]):
    """A method of a LedgerSession that makes a repository, as an attribute that makes it once.

    Each access makes sure that the transaction has the session's role, so use it as `session.jobs.find(...)`: a
    repository kept in a variable runs under whichever role the transaction has by then.
    """

    def __init__(self, make: Callable[[Any], Made]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, session: None, owner: type) -> "repository[Made]": ...

    @overload
    def __get__(self, session: LedgerSession, owner: type) -> Made: ...

    def __get__(
        self, session: LedgerSession | None, owner: type
    ) -> "Made | repository[Made]":
        if session is None:
            return self
        session.transaction.session_as(session.role)
        if self._name not in session.repositories:
            session.repositories[self._name] = self._make(session)
        made: Made = session.repositories[self._name]
        return made
