"""Trainers say that they are there and which weight files they lack."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The house's alone: a hospital's role gets no leave to see it."""
    op.create_table(
        "trainers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("lacks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("trainers")
