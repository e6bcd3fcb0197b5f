"""Services can read which schema the database has, and which one they must know at least."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

HOUSE = "sera_house"


def upgrade() -> None:
    """Services read it and no more; whoever migrates says what stands there."""
    op.create_table(
        "schema_terms", sa.Column("oldest_code", sa.String(), primary_key=True)
    )
    op.execute("INSERT INTO schema_terms VALUES ('0019')")
    op.execute(f"REVOKE ALL ON schema_terms FROM {HOUSE}")
    op.execute(f"GRANT SELECT ON schema_terms, alembic_version TO {HOUSE}")


def downgrade() -> None:
    op.execute(f"REVOKE SELECT ON alembic_version FROM {HOUSE}")
    op.drop_table("schema_terms")
