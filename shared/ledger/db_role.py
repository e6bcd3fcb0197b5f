"""The database role of a transaction: the system's, or one hospital's.

The login of the services sees no rows. A transaction assumes the role of the system or of a
hospital. Row-level security (`migrations/initial`) then limits the rows, even if a query
has no condition on the hospital.
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
SERVICE_LOGIN = "sera_service"
TAKE_SYSTEM_ROLE = f"SET LOCAL ROLE {SYSTEM_ROLE}"
TAKE_HOSPITAL_ROLE = (
    f"SELECT set_config('role', '{HOSPITAL_ROLE}', true), "
    "set_config('sera.hospital', %(hospital)s, true)"
)
CAN_BYPASS_ROW_LEVEL_SECURITY = text(
    """
    SELECT rolsuper OR rolbypassrls OR EXISTS (
        SELECT FROM pg_class WHERE relname = 'cases' AND pg_has_role(relowner, 'MEMBER'))
    FROM pg_roles WHERE rolname = session_user
    """
)


class RolesMissing(Unavailable):
    code = "database-roles-missing"
    text = (
        "The database does not let this login take on the roles of SERA ({problem}). Run "
        "`python -m shared.ledger migrate` as the owner of the tables, and have SERA_DATABASE_URL "
        "name the login sera_service or the owner."
    )


@dataclass(frozen=True)
class DatabaseRole:
    """The system's role; or a hospital's role, under which only its rows exist."""

    hospital_id: UUID | None = None

    def assume(self, session: Session) -> None:
        """Set this role until the transaction ends, in one statement.

        Raises RolesMissing, Unavailable.
        """
        try:
            connection = session.connection()
            if self.hospital_id is None:
                connection.exec_driver_sql(TAKE_SYSTEM_ROLE)
            else:
                parameters = {"hospital": str(self.hospital_id)}
                connection.exec_driver_sql(TAKE_HOSPITAL_ROLE, parameters)
        except OperationalError:
            raise
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            problem = str(error.orig).strip().splitlines()[0]
            raise RolesMissing(problem=problem) from error


SYSTEM = DatabaseRole()


@contextmanager
def translate_database_errors() -> Iterator[None]:
    """Raise Unavailable for every driver error that means that the database is unavailable."""
    try:
        yield
    except (DBAPIError, PoolTimeout, PendingRollbackError) as error:
        unavailable = unavailable_error(error)
        if unavailable:
            raise unavailable from error
        raise


def can_bypass_row_level_security(url: str) -> bool:
    """Whether this login could switch row-level security off."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(CAN_BYPASS_ROW_LEVEL_SECURITY))
    except OperationalError as error:
        raise Unavailable(service="The database") from error
    finally:
        engine.dispose()
