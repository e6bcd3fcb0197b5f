"""What is said of jobs, runs, steps, refusals and shadows is kept as a code and facts, no longer as an English sentence.

A sentence of before cannot be taken apart again and goes; the code that stood beside it stays. Nothing is rewritten: a
column is dropped and another added, at once and not over two releases, since none that reads the sentences was ever made.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

EARLIER = """'{"code": "earlier-message", "facts": {}}'::jsonb"""
COLUMNS = (
    ("jobs", "message", "facts"),
    ("training_runs", "message", "message"),
    ("run_steps", "message", "message"),
    ("serving", "refused_message", "refused_facts"),
    ("shadows", "end_reason", "end_reason"),
)
"""Table, column of a sentence, column of facts in its place; all may be empty."""
FORGET = """
CREATE OR REPLACE FUNCTION sera_forget_case() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
DECLARE
    of_case uuid[];
BEGIN
    UPDATE jobs SET
        reason = CASE WHEN state IN ('queued', 'running') THEN 'case-erased' ELSE reason END,
        state = CASE WHEN state = 'done' THEN state ELSE 'cancelled' END,
        {said} = NULL, lease_until = NULL, lease_token = NULL, updated_at = clock_timestamp()
    WHERE case_id = NEW.id;
    of_case := ARRAY(SELECT id FROM jobs WHERE case_id = NEW.id);
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
"""As in 0014, but for the column of a job."""


def upgrade() -> None:
    for table, sentence, facts in COLUMNS:
        op.drop_column(table, sentence)
        op.add_column(table, sa.Column(facts, JSONB(), nullable=True))
    op.drop_column("run_events", "message")
    op.add_column(
        "run_events",
        sa.Column("message", JSONB(), nullable=False, server_default=sa.text(EARLIER)),
    )
    op.alter_column("run_events", "message", server_default=None)
    _forget("facts")


def downgrade() -> None:
    for table, sentence, facts in COLUMNS:
        op.drop_column(table, facts)
        op.add_column(table, sa.Column(sentence, sa.String(), nullable=True))
    op.drop_column("run_events", "message")
    op.add_column(
        "run_events",
        sa.Column("message", sa.String(), nullable=False, server_default=""),
    )
    op.alter_column("run_events", "message", server_default=None)
    _forget("message")


def _forget(said: str) -> None:
    """What erases a case empties the column too."""
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(FORGET.replace("{schema}", schema).replace("{said}", said))
