"""Notes on jobs: a nullable column, a column with a default, and a table of its own."""

from alembic import op

revision = "r9001"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE jobs
            ADD COLUMN note varchar,
            ADD COLUMN notes integer NOT NULL DEFAULT 0;
        CREATE TABLE job_notes (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            job_id uuid NOT NULL REFERENCES jobs,
            hospital_id uuid NOT NULL REFERENCES hospitals,
            note varchar NOT NULL
        );
        ALTER TABLE job_notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE POLICY house ON job_notes TO sera_house USING (true) WITH CHECK (true);
        CREATE POLICY hospital_select ON job_notes FOR SELECT TO sera_hospital
            USING (hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid);
        GRANT SELECT ON job_notes TO sera_hospital;
        """
    )


def downgrade() -> None:
    op.execute(
        "DROP TABLE job_notes; ALTER TABLE jobs DROP COLUMN note, DROP COLUMN notes"
    )
