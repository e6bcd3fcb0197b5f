"""Which errors of the database are its absence, or a full disk of its, and not a fault of ours."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from shared.errors import StorageFull, Unavailable
from shared.observability.disk_space import FULL_TEXTS

DISK_FULL = "53100"
AWAY = ("08", "53", "57P", "58")
"""Beginnings of SQLSTATE: connection lost, resources short, shut down or starting, the system failed."""


def unavailable_error(error: SQLAlchemyError) -> Unavailable | None:
    """StorageFull or Unavailable where that is what it says; else None.

    psycopg2 sorts its errors by SQLSTATE, and not all that mean "not now" come as OperationalError: a backend that
    cannot write a file, for one, says InternalError. SQLAlchemy's own are a pool without a free connection, and a
    session that goes on after its connection was lost.
    """
    if not isinstance(error, DBAPIError):
        return Unavailable(service="The database")
    code = getattr(error.orig, "pgcode", None) or ""
    if code == DISK_FULL or any(each in str(error.orig) for each in FULL_TEXTS):
        return StorageFull(what="the database")
    lost = error.connection_invalidated or isinstance(
        error, OperationalError | InterfaceError
    )
    return (
        Unavailable(service="The database") if lost or code.startswith(AWAY) else None
    )
