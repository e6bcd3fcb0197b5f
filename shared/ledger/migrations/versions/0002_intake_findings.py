"""Findings of intake with each case, and each hospital's wish for text burnt into its images.

Services of the release before go on: they leave both new columns to their defaults.
"""

from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

BLANK_CASE = """
    CREATE OR REPLACE FUNCTION sera_blank_case() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.erased_at IS NOT NULL THEN
            RAISE EXCEPTION 'an erased case stays as it is' USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.erased_at IS NOT NULL THEN
            NEW.erased_at := clock_timestamp();
            NEW.image_bytes := NULL;
            NEW.image_format := NULL;
            NEW.width := NULL;
            NEW.height := NULL;
            NEW.size_mm := NULL;
            NEW.frame := NULL;
            NEW.roi := NULL;
            NEW.external_id := NULL;
            NEW.device := NULL;
            NEW.removed := NULL;{findings}
            NEW.duplicate_of := NULL;
            NEW.batch := NULL;
            NEW.source := NULL;
            NEW.descriptors := NULL;
        END IF;
        RETURN NEW;
    END $$
"""


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE cases ADD COLUMN findings jsonb NOT NULL DEFAULT '[]';
        ALTER TABLE hospitals ADD COLUMN blank_text varchar
            CONSTRAINT hospitals_blank_text CHECK (blank_text IN ('off', 'warn', 'blank'));
        """
    )
    op.execute(BLANK_CASE.format(findings="\n            NEW.findings := '[]';"))


def downgrade() -> None:
    op.execute(BLANK_CASE.format(findings=""))
    op.execute(
        """
        ALTER TABLE hospitals DROP COLUMN blank_text;
        ALTER TABLE cases DROP COLUMN findings;
        """
    )
