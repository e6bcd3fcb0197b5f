"""The roles that keep hospitals apart. They belong to the whole server, not to one database.

Services log in as `sera_service`, which sees nothing. Each transaction sets the role `sera_house`,
or the role `sera_hospital` together with the id of its hospital.
"""

from alembic import op

SYSTEM = "sera_house"
HOSPITAL = "sera_hospital"
SERVICE = "sera_service"
ATTRIBUTES = {
    SYSTEM: "NOLOGIN",
    HOSPITAL: "NOLOGIN",
    SERVICE: "LOGIN NOINHERIT",
}
ROLES_MISSING_TEXT = (
    "SERA may not make its roles. Have an administrator of the server run, once: "
    "CREATE ROLE sera_house; CREATE ROLE sera_hospital; "
    "CREATE ROLE sera_service LOGIN NOINHERIT; "
    "GRANT sera_house, sera_hospital TO sera_service; "
    "GRANT sera_house, sera_hospital TO the owner of these tables."
)
BYPASS_TEXT = (
    "sera_house, sera_hospital or sera_service could bypass row-level security. They must not be "
    "superusers, nor have BYPASSRLS, nor own these tables."
)


def create_roles() -> None:
    for role, attributes in ATTRIBUTES.items():
        _create(role, attributes)
    for role in (SYSTEM, HOSPITAL):
        _grant(role, member=SERVICE, holder=f"'{SERVICE}'", privilege="MEMBER")
        _grant(role, member="CURRENT_USER", holder="CURRENT_USER", privilege="USAGE")
    _refuse_bypass()


def _create(role: str, attributes: str) -> None:
    """Create a role, unless another database of SERA on this server has created it."""
    op.execute(
        f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                CREATE ROLE {role} {attributes};
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN RAISE EXCEPTION '{ROLES_MISSING_TEXT}';
        END $$
        """
    )


def _grant(role: str, *, member: str, holder: str, privilege: str) -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF NOT pg_has_role({holder}, '{role}', '{privilege}') THEN
                GRANT {role} TO {member};
            END IF;
        EXCEPTION WHEN insufficient_privilege THEN RAISE EXCEPTION '{ROLES_MISSING_TEXT}';
        END $$
        """
    )


def _refuse_bypass() -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF '{SERVICE}' = CURRENT_USER OR EXISTS (
                SELECT FROM pg_roles WHERE rolname IN ('{SYSTEM}', '{HOSPITAL}', '{SERVICE}')
                AND (rolsuper OR rolbypassrls)
            ) THEN
                RAISE EXCEPTION '{BYPASS_TEXT}';
            END IF;
        END $$
        """
    )
