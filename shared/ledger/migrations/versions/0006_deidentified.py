"""What cleaning removed from a case's image, and under which hash a cleaned file of a dataset lies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "cases",
        sa.Column("removed", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    )
    op.create_table(
        "cleanings",
        sa.Column("source_sha256", sa.String(), nullable=False),
        sa.Column("stored_sha256", sa.String(), nullable=False),
        sa.Column("removed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("source_sha256"),
    )


def downgrade() -> None:
    op.drop_table("cleanings")
    op.drop_column("cases", "removed")
