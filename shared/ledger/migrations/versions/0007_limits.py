"""What a hospital may send and its share of the workers; the bucket that its rate is drawn from."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OWN = "hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid"
COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("rate_per_minute", sa.Integer()),
    ("inflight_quota", sa.Integer()),
    ("weight", sa.Double()),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("hospitals", sa.Column(name, kind, nullable=True))
    op.create_table(
        "allowances",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column(
            "filled_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"]),
        sa.PrimaryKeyConstraint("hospital_id"),
    )
    op.execute(
        "ALTER TABLE allowances ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    op.execute(
        "CREATE POLICY house ON allowances TO sera_house USING (true) WITH CHECK (true)"
    )
    op.execute(
        f"CREATE POLICY hospital_all ON allowances TO sera_hospital USING ({OWN}) WITH CHECK ({OWN})"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON allowances TO sera_hospital")


def downgrade() -> None:
    op.drop_table("allowances")
    for name, _ in reversed(COLUMNS):
        op.drop_column("hospitals", name)
