"""A key is looked up before its transaction has a role, so that one statement verifies it and takes the role on."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

SYSTEM_ROLE = "sera_house"
SERVICE_LOGIN = "sera_service"


def upgrade() -> None:
    """Whoever calls it must know the secret already: it tells nothing of a key to anybody else."""
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(
        f"""
        CREATE FUNCTION sera_caller_of_key(key_id text, secret text)
        RETURNS TABLE (role text, hospital_id uuid, last_used_at timestamptz)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
            SELECT k.role, k.hospital_id, k.last_used_at FROM api_keys k
            WHERE k.id = key_id AND k.secret_sha256 = secret AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
        $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION sera_caller_of_key FROM PUBLIC")
    op.execute(
        f"GRANT EXECUTE ON FUNCTION sera_caller_of_key TO {SYSTEM_ROLE}, {SERVICE_LOGIN}"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION sera_caller_of_key")
