"""More logins of the embedded PostgreSQL, which lets in its owner's and the services' only."""

import os
from pathlib import Path

from sqlalchemy import Connection

from deploy.local.identity import user_name


def create_login(connection: Connection, name: str) -> None:
    """Create a login, and let this user in with it, as an administrator may do by hand."""
    connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
    ident_file = connection.exec_driver_sql("SHOW ident_file").scalar_one()
    with Path(ident_file).open("a") as mapping:
        mapping.write(f'sera "{user_name(os.geteuid())}" {name}\n')
    connection.exec_driver_sql("SELECT pg_reload_conf()")
