"""What a database role may do beyond what a service needs."""

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from shared.errors import Unavailable

ASKED = text("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
NAMES = ("superuser", "bypasses row-level security", "may make roles")


def powers(url: str) -> list[str]:
    """In words, those that the role of this URL has (`Unavailable`)."""
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as line:
            return [name for name, has in zip(NAMES, line.execute(ASKED).one(), strict=True) if has]
    except OperationalError as lost:
        raise Unavailable(service="The database of SERA_DATABASE_URL") from lost
