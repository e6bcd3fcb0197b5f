"""An explanation is several maps, each with a layer in the object store and what a deletion test said of it.

Those of before are let go of, and made again when they are asked for.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

OWN = "hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid"
FORGET = """
CREATE OR REPLACE FUNCTION sera_forget_case() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
DECLARE
    of_case uuid[];
BEGIN
    UPDATE jobs SET
        reason = CASE WHEN state IN ('queued', 'running') THEN 'case-erased' ELSE reason END,
        state = CASE WHEN state = 'done' THEN state ELSE 'cancelled' END,
        message = NULL, lease_until = NULL, lease_token = NULL, updated_at = clock_timestamp()
    WHERE case_id = NEW.id;
    of_case := ARRAY(SELECT id FROM jobs WHERE case_id = NEW.id);
    {pictures}
    DELETE FROM results WHERE job_id = ANY(of_case);
    DELETE FROM observations WHERE job_id = ANY(of_case);
    DELETE FROM shadow_results WHERE job_id = ANY(of_case);
    DELETE FROM outcomes WHERE case_id = NEW.id;
    UPDATE version_images SET roi = NULL, frame = NULL, size_mm = NULL, tirads = NULL WHERE case_id = NEW.id;
    UPDATE receipts SET key = sera_receipt_mark(hospital_id, key), fingerprint = '', headers = NULL, body = NULL
    WHERE case_id = NEW.id;
    RETURN NULL;
END $$
"""
WITH_MAPS = """
    PERFORM FROM explanations WHERE job_id = ANY(of_case) FOR UPDATE;
    WITH layers AS (DELETE FROM explanation_maps WHERE job_id = ANY(of_case) RETURNING heat_sha256)
    INSERT INTO orphans (sha256)
        SELECT sha256 FROM (
            SELECT heat_sha256 AS sha256 FROM layers
            UNION SELECT png_sha256 FROM explanations WHERE job_id = ANY(of_case) AND png_sha256 IS NOT NULL
            UNION SELECT NEW.image_sha256
        ) gone ORDER BY 1
    ON CONFLICT (sha256) DO UPDATE SET since = clock_timestamp(), removed_at = NULL;
    DELETE FROM explanations WHERE job_id = ANY(of_case);
"""
"""The lock waits for a worker that is writing its maps, and they are erased with the rest."""
WITHOUT = """
    WITH gone AS (DELETE FROM explanations WHERE job_id = ANY(of_case) RETURNING png_sha256)
    INSERT INTO orphans (sha256)
        SELECT png_sha256 FROM gone WHERE png_sha256 IS NOT NULL UNION SELECT NEW.image_sha256 ORDER BY 1
    ON CONFLICT (sha256) DO UPDATE SET since = clock_timestamp(), removed_at = NULL;
"""
LET_GO = """
    INSERT INTO orphans (sha256)
        SELECT DISTINCT png_sha256 FROM explanations WHERE png_sha256 IS NOT NULL ORDER BY 1
    ON CONFLICT (sha256) DO UPDATE SET since = clock_timestamp(), removed_at = NULL
"""


def upgrade() -> None:
    op.execute(LET_GO)
    op.execute("DELETE FROM explanations")
    op.add_column(
        "explanations",
        sa.Column("taken_until", sa.DateTime(timezone=True), nullable=True),
    )
    _maps()
    _forget(WITH_MAPS)


def downgrade() -> None:
    _forget(WITHOUT)
    op.execute(
        LET_GO.replace("png_sha256", "heat_sha256").replace(
            "explanations", "explanation_maps"
        )
    )
    op.drop_table("explanation_maps")
    op.drop_column("explanations", "taken_until")


def _maps() -> None:
    op.create_table(
        "explanation_maps",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "hospital_id", sa.Uuid(), sa.ForeignKey("hospitals.id"), nullable=False
        ),
        sa.Column("heat_sha256", sa.String(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "model_digest", "number"),
        sa.ForeignKeyConstraint(
            ["job_id", "model_digest"],
            ["explanations.job_id", "explanations.model_digest"],
        ),
    )
    op.create_index("explanation_maps_heat", "explanation_maps", ["heat_sha256"])
    op.execute(
        "ALTER TABLE explanation_maps ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    op.execute(
        "CREATE POLICY house ON explanation_maps TO sera_house USING (true) WITH CHECK (true)"
    )
    op.execute(
        f"CREATE POLICY hospital_select ON explanation_maps FOR SELECT TO sera_hospital USING ({OWN})"
    )
    op.execute("GRANT SELECT ON explanation_maps TO sera_hospital")
    op.execute("REVOKE DELETE ON explanation_maps FROM sera_house")


def _forget(pictures: str) -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(FORGET.replace("{schema}", schema).replace("{pictures}", pictures))
