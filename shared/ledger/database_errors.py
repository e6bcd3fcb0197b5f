"""Distinguishes an unavailable database, or its full disk, from faults in our own code."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from shared.errors import StorageFull, Unavailable
from shared.observability.disk_space import DISK_FULL_TEXTS

DISK_FULL = "53100"
UNAVAILABLE_PREFIXES = ("08", "53", "57P", "58")
"""Beginnings of SQLSTATE: the connection is lost, resources are short, the server is starting or
shutting down, the system failed."""


def unavailable_error(error: SQLAlchemyError) -> Unavailable | None:
    """Translate a driver error to StorageFull or Unavailable; None if it means neither.

    psycopg2 sorts its errors by SQLSTATE, and some errors that mean "not now" are no
    OperationalError. A backend that cannot write a file, for example, reports an InternalError.
    SQLAlchemy's own errors mean that the pool has no free connection, or that a session was used
    after it lost its connection.
    """
    if not isinstance(error, DBAPIError):
        return Unavailable(service="The database")
    code = getattr(error.orig, "pgcode", None) or ""
    message = str(error.orig)
    if code == DISK_FULL or any(text in message for text in DISK_FULL_TEXTS):
        return StorageFull(what="the database")
    is_lost = error.connection_invalidated or isinstance(
        error, OperationalError | InterfaceError
    )
    if is_lost or code.startswith(UNAVAILABLE_PREFIXES):
        return Unavailable(service="The database")
    return None
