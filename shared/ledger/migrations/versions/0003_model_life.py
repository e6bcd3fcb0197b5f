"""Dataset versions, outcomes, a run's steps, gates, shadows, and what monitoring needs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

APPEND_ONLY = ("dataset_versions", "version_images", "outcomes", "gates", "promotions")
TABLES = (
    "observations",
    "shadow_results",
    "shadows",
    "serving",
    "gates",
    "run_events",
    "run_steps",
    "version_images",
    "outcomes",
    "dataset_versions",
    "secrets",
)
COLUMNS = (
    ("training_runs", "version_id"),
    ("training_runs", "resumed"),
    ("training_runs", "folds"),
    ("promotions", "gate_id"),
    ("promotions", "kind"),
    ("models", "card"),
    ("models", "reference"),
    ("hospitals", "refer_alpha"),
    ("hospitals", "target_sensitivity"),
    ("dataset_images", "frame"),
    ("dataset_images", "case_id"),
    ("cases", "device"),
)


def upgrade() -> None:
    _datasets()
    _runs()
    _models()
    _columns()
    _append_only()


def downgrade() -> None:
    op.execute("DROP TRIGGER promotions_append_only ON promotions")
    op.drop_column("training_runs", "version_id")
    op.drop_column("promotions", "gate_id")
    for table in TABLES:
        op.drop_table(table)
    for table, column in COLUMNS:
        op.execute(f"ALTER TABLE {table} DROP COLUMN IF EXISTS {column}")
    op.execute("DROP FUNCTION sera_refuse_change")
    op.drop_index("jobs_failed", "jobs")
    op.add_column("training_runs", sa.Column("lease_token", sa.Uuid(), nullable=True))
    op.add_column(
        "training_runs",
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
    )
    op.add_column(
        "training_runs",
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
    )


def _datasets() -> None:
    op.create_table(
        "dataset_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("malignant", sa.Integer(), nullable=False),
        sa.Column("test_images", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset_id", "fingerprint", name="dataset_versions_once"),
        sa.UniqueConstraint("dataset_id", "number", name="dataset_versions_number"),
    )
    op.create_table(
        "version_images",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("image_sha256", sa.String(), nullable=False),
        sa.Column("malignant", sa.Boolean(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("roi", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("mask_sha256", sa.String(), nullable=True),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("patient", sa.String(), nullable=True),
        sa.Column("site", sa.String(), nullable=True),
        sa.Column("size_mm", sa.Double(), nullable=True),
        sa.Column("tirads", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["dataset_versions.id"],
        ),
        sa.PrimaryKeyConstraint("version_id", "image_sha256"),
    )
    op.create_index(
        "version_images_locked",
        "version_images",
        ["image_sha256"],
        unique=False,
        postgresql_where=sa.text("split = 'test'"),
    )
    op.create_index(
        "version_images_patient",
        "version_images",
        ["patient", "site"],
        unique=False,
        postgresql_where=sa.text("patient IS NOT NULL"),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "outcomes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("malignant", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("determined_on", sa.Date(), nullable=True),
        sa.Column("patient", sa.String(), nullable=True),
        sa.Column("consent", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["hospital_id"],
            ["hospitals.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("outcomes_of_case", "outcomes", ["case_id", "id"], unique=False)
    op.create_index(
        "outcomes_of_hospital", "outcomes", ["hospital_id", "id"], unique=False
    )


def _runs() -> None:
    op.create_table(
        "run_steps",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column(
            "subject",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "after",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("weight", sa.Double(), server_default="1", nullable=False),
        sa.Column("state", sa.String(), server_default="waiting", nullable=False),
        sa.Column("fraction", sa.Double(), server_default="0", nullable=False),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "available_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting','running','done','failed')", name="run_steps_state"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["training_runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "name"),
    )
    op.create_index(
        "run_steps_open",
        "run_steps",
        ["run_id", "place"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting','running')"),
    )
    op.create_table(
        "run_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("fraction", sa.Double(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["training_runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("run_events_of_run", "run_events", ["run_id", "id"], unique=False)


def _models() -> None:
    op.create_table(
        "gates",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("live_digest", sa.String(), nullable=True),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("policy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["live_digest"],
            ["models.digest"],
        ),
        sa.ForeignKeyConstraint(
            ["model_digest"],
            ["models.digest"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["training_runs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["dataset_versions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("gates_of_model", "gates", ["model_digest", "id"], unique=False)
    op.create_table(
        "serving",
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_digest", sa.String(), nullable=True),
        sa.Column("refused_code", sa.String(), nullable=True),
        sa.Column("refused_message", sa.String(), nullable=True),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("worker"),
    )
    op.create_table(
        "shadows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("share", sa.Double(), server_default="1", nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_digest"],
            ["models.digest"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "shadows_one",
        "shadows",
        [sa.literal_column("(ended_at IS NULL)")],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "shadow_results",
        sa.Column("shadow_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("live_digest", sa.String(), nullable=False),
        sa.Column("live_score", sa.Double(), nullable=False),
        sa.Column("live_risk", sa.Double(), nullable=False),
        sa.Column("live_decision", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("risk", sa.Double(), nullable=True),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["hospital_id"],
            ["hospitals.id"],
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["shadow_id"],
            ["shadows.id"],
        ),
        sa.PrimaryKeyConstraint("shadow_id", "job_id"),
    )
    op.create_table(
        "observations",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.String(), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("risk", sa.Double(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("cutoff", sa.Double(), nullable=False),
        sa.Column("strangeness", sa.Double(), nullable=True),
        sa.Column("embedding", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("benign_p", sa.Double(), nullable=True),
        sa.Column("malignant_p", sa.Double(), nullable=True),
        sa.Column("warnings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["hospital_id"],
            ["hospitals.id"],
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("job_id", "model_digest"),
    )
    op.create_index("observations_made", "observations", ["created_at"], unique=False)
    op.create_index(
        "observations_of_hospital",
        "observations",
        ["hospital_id", "created_at"],
        unique=False,
    )
    op.create_index(
        "observations_of_model",
        "observations",
        ["model_digest", "created_at"],
        unique=False,
    )


def _columns() -> None:
    op.create_index(
        "jobs_failed",
        "jobs",
        ["created_at"],
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.add_column("cases", sa.Column("device", sa.String(), nullable=True))
    op.add_column("dataset_images", sa.Column("case_id", sa.Uuid(), nullable=True))
    op.add_column("dataset_images", sa.Column("frame", sa.Integer(), nullable=True))
    op.create_foreign_key(
        "dataset_images_case_id_fkey", "dataset_images", "cases", ["case_id"], ["id"]
    )
    op.create_index(
        "dataset_images_of_case",
        "dataset_images",
        ["dataset_id", "case_id"],
        unique=False,
        postgresql_where=sa.text("case_id IS NOT NULL"),
    )
    op.add_column(
        "hospitals", sa.Column("target_sensitivity", sa.Double(), nullable=True)
    )
    op.add_column("hospitals", sa.Column("refer_alpha", sa.Double(), nullable=True))
    op.add_column(
        "models",
        sa.Column("reference", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    )
    op.add_column(
        "models",
        sa.Column("card", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    )
    op.add_column(
        "promotions",
        sa.Column("kind", sa.String(), server_default="promote", nullable=False),
    )
    op.add_column("promotions", sa.Column("gate_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        "promotions_gate_id_fkey", "promotions", "gates", ["gate_id"], ["id"]
    )
    op.add_column("training_runs", sa.Column("version_id", sa.Uuid(), nullable=True))
    op.add_column("training_runs", sa.Column("folds", sa.Integer(), nullable=True))
    op.add_column(
        "training_runs",
        sa.Column("resumed", sa.Integer(), server_default="0", nullable=False),
    )
    op.create_foreign_key(
        "training_runs_version_id_fkey",
        "training_runs",
        "dataset_versions",
        ["version_id"],
        ["id"],
    )
    op.drop_column("training_runs", "attempts")
    op.drop_column("training_runs", "lease_until")
    op.drop_column("training_runs", "lease_token")
    # A run that was not finished knows neither a version nor steps, so it cannot go on.
    op.execute(
        "UPDATE training_runs SET state = 'failed', reason = 'superseded', ended_at = clock_timestamp(), "
        "message = 'SERA was updated before this run ended. Ask for it again.' WHERE state IN ('queued', 'running')"
    )


def _append_only() -> None:
    """The database itself refuses to change what is on record."""
    op.execute(
        """
        CREATE FUNCTION sera_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change()"
        )
