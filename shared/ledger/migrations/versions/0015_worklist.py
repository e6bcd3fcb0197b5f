"""Cases may carry a batch's label; what a result says stands in columns of its own, for lists that are asked for it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TOLD: dict[str, tuple[str, sa.types.TypeEngine[Any]]] = {
    "risk": ("(body->>'risk')::double precision", sa.Double()),
    "decision": ("body->>'decision'", sa.String()),
    "fna": ("(body->'fna'->>'recommended')::boolean", sa.Boolean()),
}
"""Made by the database from the result itself, so that the two cannot differ."""
HAS_BATCH = sa.text("batch IS NOT NULL")
HAS_NUMBER = sa.text("external_id IS NOT NULL")
LISTED = [sa.text("created_at DESC"), sa.text("id DESC")]
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
        NEW.device := NULL; NEW.removed := NULL; NEW.duplicate_of := NULL; {also}
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column("cases", sa.Column("batch", sa.String(), nullable=True))
    op.execute(BLANK.replace("{also}", "NEW.batch := NULL;"))
    for name, (told, kind) in TOLD.items():
        op.add_column(
            "results",
            sa.Column(name, kind, sa.Computed(told, persisted=True), nullable=True),
        )
    op.create_index(
        "cases_of_batch", "cases", ["hospital_id", "batch"], postgresql_where=HAS_BATCH
    )
    op.create_index(
        "cases_numbered",
        "cases",
        ["hospital_id", "external_id"],
        postgresql_ops={"external_id": "text_pattern_ops"},
        postgresql_where=HAS_NUMBER,
    )
    op.create_index("jobs_by_state", "jobs", ["hospital_id", "state", *LISTED])
    op.create_index(
        "jobs_urgent",
        "jobs",
        ["hospital_id", *LISTED],
        postgresql_where=sa.text("urgent"),
    )
    op.create_index("results_told", "results", ["hospital_id", "decision", "fna"])
    op.create_index(
        "results_by_risk",
        "results",
        ["hospital_id", sa.text("risk DESC"), sa.text("job_id DESC")],
    )


def downgrade() -> None:
    for index in ("results_by_risk", "results_told"):
        op.drop_index(index, "results")
    for index in ("jobs_urgent", "jobs_by_state"):
        op.drop_index(index, "jobs")
    for index in ("cases_numbered", "cases_of_batch"):
        op.drop_index(index, "cases")
    for name in TOLD:
        op.drop_column("results", name)
    op.execute(BLANK.replace("{also}", ""))
    op.drop_column("cases", "batch")
