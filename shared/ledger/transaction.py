"""A database transaction: its role, its audit events, and the callbacks that follow its commit.

A transaction uses at most one connection. It begins when a repository is first used, and ends with
`commit` or `rollback`. The next use of a repository begins another one. Audit events are written
last, so that no audit chain stays locked while the transaction continues.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, overload

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.ledger.audit.repository import AuditTrail, write_all
from shared.ledger.db_role import SYSTEM, DatabaseRole, translate_database_errors
from shared.observability.logs import log

Repository = TypeVar("Repository")
Result = TypeVar("Result")


class Transaction:
    """Not thread-safe: threads may use it one after another, but not at the same time."""

    def __init__(self, engine: Engine) -> None:
        self._session = Session(engine, expire_on_commit=False)
        self._role: DatabaseRole | None = None
        self._audit_trails: list[AuditTrail] = []
        self._callbacks: list[Callable[[], object]] = []

    @property
    def is_open(self) -> bool:
        """Whether the transaction has begun and holds a connection."""
        return self._session.in_transaction()

    @property
    def session(self) -> Session:
        """SQLAlchemy's session, under the role that the transaction has now."""
        return self._session

    def session_as(self, role: DatabaseRole) -> Session:
        """SQLAlchemy's session under this role.

        Raises RolesMissing, Unavailable.
        """
        if role != self._role or not self.is_open:
            self._assume(role)
        return self._session

    def run_first(self, statement: Callable[[Session], Result]) -> Result:
        """Run the transaction's first statement.

        A pooled connection may have died. The statement then runs once more on a new connection.
        """
        try:
            return statement(self._session)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._session.rollback()
            return statement(self._session)

    def note_role(self, role: DatabaseRole) -> None:
        """Remember a role that a statement has set (`shared.ledger.hospitals.authentication`)."""
        self._role = role

    def add_audit_trail(self, trail: AuditTrail) -> None:
        """Have the events of this trail written before the commit."""
        self._audit_trails.append(trail)

    def on_commit(self, callback: Callable[[], object]) -> None:
        """Call this after the commit, when others can see what the transaction wrote."""
        self._callbacks.append(callback)

    def commit(self) -> None:
        """Write the audit events, commit, release the connection, then call the callbacks.

        A callback that fails is logged, because the work that it announces is committed already.
        """
        has_events = any(trail.pending for trail in self._audit_trails)
        if self.is_open or has_events:
            with translate_database_errors():
                self._write_audit_events()
                self._session.commit()
        callbacks = self._callbacks
        self._end()
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 (the other callbacks still run)
                log().error("transaction.callback-failed", exc_info=error)

    def rollback(self) -> None:
        """Undo the uncommitted work, and release the connection."""
        for trail in self._audit_trails:
            trail.pop_pending()
        self._end()

    def _assume(self, role: DatabaseRole) -> None:
        with translate_database_errors():
            if self.is_open:
                # Pending rows belong to the role under which they were added.
                self._session.flush()
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
        except DBAPIError:
            # The connection is lost, and the uncommitted work with it.
            self._session.invalidate()
        self._role = None
        self._callbacks = []


class LedgerSession:
    """The rows that one role may see and write in a transaction, through repositories.

    A repository is created when it is first used.
    """

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
        """SQLAlchemy's session, under this session's role."""
        return self.transaction.session_as(self.role)

    @property
    def trail(self) -> AuditTrail:
        """The trail in which this session's repositories record events."""
        if self._trail is None:
            self._trail = AuditTrail(
                session=self.sql, actor=self.actor, hospital=self.role.hospital_id
            )
            self.transaction.add_audit_trail(self._trail)
        return self._trail

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo what the block writes, with its audit events: a trial run of a change.

        Nothing may have been recorded in the transaction before.
        """
        trail = self.trail
        savepoint = self.sql.begin_nested()
        try:
            yield
        finally:
            trail.pop_pending()
            if savepoint.is_active:
                savepoint.rollback()


class repository(Generic[Repository]):
    """Turns a method of a LedgerSession into an attribute that creates its repository once.

    Each access makes sure that the transaction has the session's role. So write
    `session.jobs.find(...)`: a repository in a variable runs under the role that the transaction
    has at that moment, which may be another one.
    """

    def __init__(self, make: Callable[[Any], Repository]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, session: None, owner: type) -> "repository[Repository]": ...

    @overload
    def __get__(self, session: LedgerSession, owner: type) -> Repository: ...

    def __get__(
        self, session: LedgerSession | None, owner: type
    ) -> "Repository | repository[Repository]":
        if session is None:
            return self
        session.transaction.session_as(session.role)
        if self._name not in session.repositories:
            session.repositories[self._name] = self._make(session)
        instance: Repository = session.repositories[self._name]
        return instance
