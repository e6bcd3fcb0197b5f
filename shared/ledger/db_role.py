"""The database role that a transaction has: the system's, or one hospital's.

The login of the services sees no rows at all. A transaction takes on the role of the system or of a hospital, and
row-level security (`migrations/initial`) does the rest, whatever a query forgets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from shared.errors import Unavailable
from shared.ledger.database_errors import unavailable_error

SYSTEM_ROLE = "sera_house"
HOSPITAL_ROLE = "sera_hospital"
TAKE_SYSTEM_ROLE = f"SET LOCAL ROLE {SYSTEM_ROLE}"
TAKE_HOSPITAL_ROLE = (
    f"SELECT set_config('role', '{HOSPITAL_ROLE}', true), "
    "set_config('sera.hospital', %(hospital)s, true)"
)
COULD_PASS_BY = text(
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


@dataclass(frozen=True)
class DatabaseRole:
    """The system's role, or with a hospital that hospital's: then only its rows exist."""

    hospital_id: UUID | None = None

    def assume(self, session: Session) -> None:
        """Take on this role until the transaction ends; one statement. Raises RolesMissing, Unavailable."""
        try:
            connection = session.connection()
            if self.hospital_id is None:
                connection.exec_driver_sql(TAKE_SYSTEM_ROLE)
            else:
                connection.exec_driver_sql(
                    TAKE_HOSPITAL_ROLE, {"hospital": str(self.hospital_id)}
                )
        except OperationalError:
            raise
        except DBAPIError as refused:
            if refused.connection_invalidated:
                raise
            problem = str(refused.orig).strip().splitlines()[0]
            raise RolesMissing(problem=problem) from refused


SYSTEM = DatabaseRole()


@contextmanager
def translate_database_errors() -> Iterator[None]:
    """Whatever the loss of the database looks like, it is Unavailable."""
    try:
        yield
    except (DBAPIError, PoolTimeout, PendingRollbackError) as error:
        if fault := unavailable_error(error):
            raise fault from error
        raise


def can_bypass_row_level_security(url: str) -> bool:
    """Whether this login could put row-level security aside."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(COULD_PASS_BY))
    except OperationalError as lost:
        raise Unavailable(service="The database") from lost
    finally:
        engine.dispose()
