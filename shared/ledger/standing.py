"""Whom a transaction speaks for, as the database sees it: the one place that says so.

The login of the services sees no rows at all. A transaction takes on the house's role or a hospital's, and row-level
security (migration 0005) does the rest, whatever a query forgets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from shared.errors import Unavailable
from shared.ledger.faults import named

HOUSE = "SET LOCAL ROLE sera_house"
SERVICE = "sera_service"
PASSES_BY = text(
    """
    SELECT rolsuper OR rolbypassrls OR EXISTS (
        SELECT FROM pg_class WHERE relname = 'cases' AND pg_has_role(relowner, 'MEMBER'))
    FROM pg_roles WHERE rolname = session_user
    """
)


class RolesMissing(Unavailable):
    code = "database-roles-missing"
    text = (
        "The database does not let this login take on the roles of SERA ({problem}). Run `python -m shared.ledger "
        "migrate` as the owner of the tables, and have SERA_DATABASE_URL name the login sera_service or the owner."
    )


def of_hospital(hospital: UUID) -> str:
    """The standing in which only this hospital's rows exist."""
    return f"SET LOCAL ROLE sera_hospital; SET LOCAL sera.hospital = '{UUID(str(hospital))}'"


def take(session: Session, standing: str) -> None:
    """Speak for the house or a hospital until the transaction ends; one round trip. Raises RolesMissing."""
    try:
        session.connection().exec_driver_sql(standing)
    except OperationalError:
        raise
    except DBAPIError as refused:
        if refused.connection_invalidated:
            raise
        raise RolesMissing(problem=str(refused.orig).strip().splitlines()[0]) from refused


@contextmanager
def reachable() -> Iterator[None]:
    """Whatever the loss of the database looks like, it is Unavailable."""
    try:
        yield
    except (DBAPIError, PoolTimeout, PendingRollbackError) as error:
        if fault := named(error):
            raise fault from error
        raise


def passes_by(url: str) -> bool:
    """Whether this login could put row-level security aside."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(PASSES_BY))
    except OperationalError as lost:
        raise Unavailable(service="The database") from lost
    finally:
        engine.dispose()
