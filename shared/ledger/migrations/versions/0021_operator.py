"""A run keeps its recipe as it was asked for; workers say on what they compute and when they last claimed cases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "training_runs",
        sa.Column(
            "recipe_table", postgresql.JSONB(astext_type=sa.Text()), nullable=True
        ),
    )
    op.add_column("serving", sa.Column("device", sa.String(), nullable=True))
    op.add_column(
        "serving", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("serving", "claimed_at")
    op.drop_column("serving", "device")
    op.drop_column("training_runs", "recipe_table")
