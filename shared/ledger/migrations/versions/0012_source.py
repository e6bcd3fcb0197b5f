"""Whether a case's image is a file or a photo of a screen, and who looked at a case's image."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

READS = "event IN ('case.read', 'image.read', 'result.read', 'explanation.read')"
READS_BEFORE = "event IN ('case.read', 'result.read', 'explanation.read')"
BLANK = """
CREATE OR REPLACE FUNCTION sera_blank_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'an erased case stays as it is' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.erased_at IS NOT NULL THEN
        NEW.erased_at := clock_timestamp();
        NEW.image_bytes := NULL; NEW.image_format := NULL; NEW.width := NULL; NEW.height := NULL;
        NEW.size_mm := NULL; NEW.frame := NULL; NEW.roi := NULL; NEW.external_id := NULL;
        NEW.device := NULL; NEW.removed := NULL; NEW.duplicate_of := NULL;{more}
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column(
        "cases", sa.Column("source", sa.String(), server_default="file", nullable=True)
    )
    op.execute(BLANK.format(more=" NEW.source := NULL;"))
    _index(READS)


def downgrade() -> None:
    _index(READS_BEFORE)
    op.execute(BLANK.format(more=""))
    op.drop_column("cases", "source")


def _index(which: str) -> None:
    op.drop_index("audit_reads", "audit_events")
    op.create_index(
        "audit_reads",
        "audit_events",
        ["case_id", "actor"],
        postgresql_where=sa.text(which),
    )
