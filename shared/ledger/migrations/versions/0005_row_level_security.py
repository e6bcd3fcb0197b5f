"""The database itself keeps hospitals apart: row-level security, and roles that cannot pass it by. Keys rotate.

Services log in as `sera_service`, which sees nothing. Each transaction takes on `sera_house`, or `sera_hospital` with
the hospital it is for.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HOUSE = "sera_house"
HOSPITAL = "sera_hospital"
SERVICE = "sera_service"
ROLES = {HOUSE: "NOLOGIN", HOSPITAL: "NOLOGIN", SERVICE: "LOGIN NOINHERIT"}
BY_HAND = (
    "SERA may not make its roles. Have an administrator of the server run, once: "
    "CREATE ROLE sera_house; CREATE ROLE sera_hospital; CREATE ROLE sera_service LOGIN NOINHERIT; "
    "GRANT sera_house, sera_hospital TO sera_service; GRANT sera_house, sera_hospital TO the owner of these tables."
)
MINE = "NULLIF(current_setting('sera.hospital', true), '')::uuid"
OWN = f"hospital_id = {MINE}"
OWN_CASE = "EXISTS (SELECT FROM cases c WHERE c.id = case_id)"
OWN_JOB = "EXISTS (SELECT FROM jobs j WHERE j.id = job_id)"
"""Themselves under row-level security. A foreign key is not, and would take another hospital's case."""
STAFF_KEY = "role IN ('submitter', 'reader')"

POLICIES: dict[str, dict[str, tuple[str | None, str | None]]] = {
    "cases": {"ALL": (OWN, OWN)},
    "jobs": {"ALL": (OWN, f"{OWN} AND {OWN_CASE}")},
    "results": {"SELECT": (OWN, None)},
    "explanations": {"ALL": (OWN, f"{OWN} AND {OWN_JOB}")},
    "receipts": {"ALL": (OWN, f"{OWN} AND {OWN_CASE} AND {OWN_JOB}")},
    "outcomes": {"ALL": (OWN, f"{OWN} AND {OWN_CASE}")},
    "observations": {"SELECT": (OWN, None)},
    "shadow_results": {},
    "audit_events": {"ALL": (OWN, OWN)},
    "audit_checkpoints": {"SELECT": (f"chain = ({MINE})::text", None)},
    "hospitals": {"SELECT": (f"id = {MINE}", None)},
    "api_keys": {
        "SELECT": (OWN, None),
        "INSERT": (None, f"{OWN} AND {STAFF_KEY}"),
        "UPDATE": (f"{OWN} AND {STAFF_KEY}", f"{OWN} AND {STAFF_KEY}"),
    },
    "secrets": {"ALL": ("name = 'pseudonyms'", "name = 'pseudonyms'")},
}
"""What `sera_hospital` may see and write of each table, by command: USING, WITH CHECK."""

GRANTS = {
    "SELECT": (*(table for table, policies in POLICIES.items() if policies), "models"),
    "INSERT": (
        "cases",
        "jobs",
        "explanations",
        "receipts",
        "outcomes",
        "audit_events",
        "api_keys",
        "secrets",
    ),
    "UPDATE": ("cases", "jobs", "api_keys"),
}
"""Of cases nothing is changed, but a row can only be locked with leave to update it."""
KEPT = (
    "audit_events",
    "audit_checkpoints",
    "dataset_versions",
    "version_images",
    "outcomes",
    "gates",
    "promotions",
)
"""What is on record no service may change."""


def upgrade() -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.add_column(
        "api_keys", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "api_keys",
        sa.Column(
            "replaced_by", sa.String(), sa.ForeignKey("api_keys.id"), nullable=True
        ),
    )
    _roles()
    _grants(schema)
    for table, policies in POLICIES.items():
        _protect(table, policies)
    _queue_place(schema)


def downgrade() -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute("DROP FUNCTION sera_jobs_ahead")
    for table, policies in POLICIES.items():
        for name in ("house", *(f"hospital_{command.lower()}" for command in policies)):
            op.execute(f"DROP POLICY {name} ON {table}")
        op.execute(
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY"
        )
    op.execute(
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON TABLES FROM {HOUSE}"
    )
    op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {HOUSE}, {HOSPITAL}")
    op.execute(f"REVOKE USAGE ON SCHEMA {schema} FROM {', '.join(ROLES)}")
    op.drop_column("api_keys", "replaced_by")
    op.drop_column("api_keys", "last_used_at")


def _roles() -> None:
    """Roles belong to the whole server: another database of SERA may have made them."""
    for name, traits in ROLES.items():
        op.execute(
            f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
                    CREATE ROLE {name} {traits};
                END IF;
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN RAISE EXCEPTION '{BY_HAND}';
            END $$
            """
        )
    for member, how in ((SERVICE, "MEMBER"), ("CURRENT_USER", "USAGE")):
        who = member if member == "CURRENT_USER" else f"'{member}'"
        for role in (HOUSE, HOSPITAL):
            op.execute(
                f"""
                DO $$ BEGIN
                    IF NOT pg_has_role({who}, '{role}', '{how}') THEN
                        GRANT {role} TO {member};
                    END IF;
                EXCEPTION WHEN insufficient_privilege THEN RAISE EXCEPTION '{BY_HAND}';
                END $$
                """
            )
    op.execute(
        f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname IN ('{HOUSE}', '{HOSPITAL}', '{SERVICE}')
                       AND (rolsuper OR rolbypassrls)) OR '{SERVICE}' = CURRENT_USER THEN
                RAISE EXCEPTION 'sera_house, sera_hospital or sera_service could pass row-level security by. They must '
                    'not be superusers, nor have BYPASSRLS, nor own these tables.';
            END IF;
        END $$
        """
    )


def _grants(schema: str) -> None:
    op.execute(f"GRANT USAGE ON SCHEMA {schema} TO {', '.join(ROLES)}")
    op.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {HOUSE}"
    )
    op.execute(
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {HOUSE}"
    )
    op.execute(f"REVOKE UPDATE, DELETE ON {', '.join(KEPT)} FROM {HOUSE}")
    op.execute(f"REVOKE ALL ON alembic_version FROM {HOUSE}")
    for command, tables in GRANTS.items():
        op.execute(f"GRANT {command} ON {', '.join(tables)} TO {HOSPITAL}")


def _protect(table: str, policies: dict[str, tuple[str | None, str | None]]) -> None:
    op.execute(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    op.execute(
        f"CREATE POLICY house ON {table} TO {HOUSE} USING (true) WITH CHECK (true)"
    )
    for command, (using, check) in policies.items():
        clauses = (f" USING ({using})" if using else "") + (
            f" WITH CHECK ({check})" if check else ""
        )
        op.execute(
            f"CREATE POLICY hospital_{command.lower()} ON {table} FOR {command} TO {HOSPITAL}{clauses}"
        )


def _queue_place(schema: str) -> None:
    """A place in the queue counts every hospital's jobs; a hospital learns the number and nothing else."""
    op.execute(
        f"""
        CREATE FUNCTION sera_jobs_ahead(is_urgent boolean, since timestamptz) RETURNS bigint
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
            SELECT count(*) FROM jobs
            WHERE state = 'queued' AND ((urgent AND NOT is_urgent) OR (urgent = is_urgent AND queued_at < since))
        $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION sera_jobs_ahead FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION sera_jobs_ahead TO {HOUSE}, {HOSPITAL}")
