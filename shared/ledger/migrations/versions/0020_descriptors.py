"""Cases may carry what the reader saw, in the lexicon's terms; it goes with the case when that is erased.

With it the source (0012) goes again too, which 0015 had left in erased cases.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

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
        NEW.device := NULL; NEW.removed := NULL; NEW.duplicate_of := NULL; NEW.batch := NULL;{also}
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column(
        "cases", sa.Column("descriptors", JSONB(none_as_null=True), nullable=True)
    )
    op.execute(
        BLANK.replace(
            "{also}", " NEW.source := NULL;\n        NEW.descriptors := NULL;"
        )
    )


def downgrade() -> None:
    op.execute(BLANK.replace("{also}", ""))
    op.drop_column("cases", "descriptors")
