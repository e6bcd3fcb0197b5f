"""Which frame of a loop a case is about."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("frame", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("cases", "frame")
