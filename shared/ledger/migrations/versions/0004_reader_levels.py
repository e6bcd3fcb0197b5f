"""Reader-first: each hospital's wish for it, and the levels that people enter before SERA's answer.

Services of the release before go on: they leave the new column to its default and know nothing of
the new table. They withhold no answer, so a hospital turns the mode on after all are replaced.
"""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None

LEVELS = """
    ALTER TABLE hospitals ADD COLUMN reader_first varchar
        CONSTRAINT hospitals_reader_first CHECK (reader_first IN ('on', 'off'));

    CREATE TABLE reader_levels (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        case_id uuid NOT NULL REFERENCES cases,
        person_id uuid NOT NULL REFERENCES people,
        hospital_id uuid NOT NULL REFERENCES hospitals,
        guideline varchar NOT NULL,
        level varchar NOT NULL,
        descriptors jsonb,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT reader_levels_once UNIQUE (case_id, person_id)
    );

    CREATE TRIGGER reader_levels_append_only BEFORE UPDATE OR TRUNCATE ON reader_levels
        FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
    CREATE TRIGGER reader_levels_erasable BEFORE DELETE ON reader_levels
        FOR EACH ROW EXECUTE FUNCTION sera_only_of_erased();

    CREATE FUNCTION sera_forget_reader_levels() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {schema}, pg_temp AS $$
    BEGIN
        DELETE FROM reader_levels WHERE case_id = NEW.id;
        RETURN NULL;
    END $$;
    CREATE TRIGGER cases_forget_reader_levels AFTER UPDATE ON cases
        FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL)
        EXECUTE FUNCTION sera_forget_reader_levels();
    REVOKE ALL ON FUNCTION sera_forget_reader_levels FROM PUBLIC;
"""

ACCESS = """
    ALTER TABLE reader_levels ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY house ON reader_levels TO sera_house USING (true) WITH CHECK (true);
    CREATE POLICY hospital_all ON reader_levels FOR ALL TO sera_hospital
        USING (hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid)
        WITH CHECK (
            hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid
            AND EXISTS (SELECT FROM cases c WHERE c.id = case_id)
            AND EXISTS (SELECT FROM people p WHERE p.id = person_id)
        );
    GRANT SELECT, INSERT ON reader_levels TO sera_house, sera_hospital;
    REVOKE UPDATE, DELETE ON reader_levels FROM sera_house;
"""

BACK = """
    DROP TRIGGER cases_forget_reader_levels ON cases;
    DROP FUNCTION sera_forget_reader_levels;
    DROP TABLE reader_levels;
    ALTER TABLE hospitals DROP COLUMN reader_first;
"""


def upgrade() -> None:
    _execute(LEVELS)
    _execute(ACCESS)


def downgrade() -> None:
    _execute(BACK)


def _execute(statements: str) -> None:
    """Run them unchanged: `%` and `:` in them are not parameters."""
    connection = op.get_bind()
    schema = connection.scalar(sa.text("SELECT quote_ident(current_schema())"))
    connection.exec_driver_sql(
        statements.replace("{schema}", schema),
        execution_options={"no_parameters": True},
    )
