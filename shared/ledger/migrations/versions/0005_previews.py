"""Previewed images that are kept for a short time, and the outlines that were asked of them.

Services of the release before go on: they know nothing of the new tables. Their workers draw no
outlines, and their sweeps erase no previews; the sweeps of the new workers do. An old sweep may
remove a previewed image that an erased case has released; its outlines then cannot be drawn.
"""

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None

PREVIEWS = """
    CREATE TABLE previews (
        id uuid PRIMARY KEY,
        hospital_id uuid NOT NULL REFERENCES hospitals,
        image_sha256 varchar NOT NULL,
        image_bytes bigint NOT NULL,
        image_format varchar NOT NULL,
        width integer NOT NULL,
        height integer NOT NULL,
        frame integer,
        device varchar,
        source varchar NOT NULL,
        text_policy varchar NOT NULL,
        removed jsonb NOT NULL,
        findings jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        expires_at timestamptz NOT NULL
    );
    CREATE INDEX previews_kept ON previews (hospital_id, expires_at);
    CREATE INDEX previews_expiring ON previews (expires_at);
    CREATE INDEX previews_of_image ON previews (image_sha256);

    -- Whoever deletes a preview releases its image.
    CREATE FUNCTION sera_release_preview() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {schema}, pg_temp AS $$
    BEGIN
        INSERT INTO orphans (sha256) SELECT DISTINCT image_sha256 FROM gone ORDER BY 1
        ON CONFLICT (sha256) DO UPDATE SET since = clock_timestamp(), removed_at = NULL;
        RETURN NULL;
    END $$;
    CREATE TRIGGER previews_release AFTER DELETE ON previews
        REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION sera_release_preview();
    REVOKE ALL ON FUNCTION sera_release_preview FROM PUBLIC;

    -- The hospital's previews of an erased case's image go with the case.
    CREATE FUNCTION sera_forget_previews() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {schema}, pg_temp AS $$
    BEGIN
        DELETE FROM previews
        WHERE hospital_id = NEW.hospital_id AND image_sha256 = NEW.image_sha256;
        RETURN NULL;
    END $$;
    CREATE TRIGGER cases_forget_previews AFTER UPDATE ON cases
        FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL) EXECUTE FUNCTION sera_forget_previews();
    REVOKE ALL ON FUNCTION sera_forget_previews FROM PUBLIC;
"""

OUTLINES = """
    CREATE TABLE preview_outlines (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        preview_id uuid NOT NULL REFERENCES previews ON DELETE CASCADE,
        hospital_id uuid NOT NULL REFERENCES hospitals,
        prompt jsonb,
        prompt_sha256 varchar,
        requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        attempts integer NOT NULL DEFAULT 0,
        taken_until timestamptz,
        made_at timestamptz,
        reason varchar,
        model_digest varchar,
        source varchar,
        outlines jsonb
    );
    CREATE UNIQUE INDEX preview_outlines_once ON preview_outlines (preview_id, prompt_sha256)
        NULLS NOT DISTINCT;
    CREATE INDEX preview_outlines_waiting ON preview_outlines (hospital_id, requested_at)
        WHERE made_at IS NULL;
"""

ACCESS = """
    ALTER TABLE previews ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY house ON previews TO sera_house USING (true) WITH CHECK (true);
    CREATE POLICY hospital_all ON previews FOR ALL TO sera_hospital
        USING (hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid)
        WITH CHECK (hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid);
    GRANT SELECT, INSERT, DELETE ON previews TO sera_hospital;
    REVOKE UPDATE ON previews FROM sera_house;

    ALTER TABLE preview_outlines ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY house ON preview_outlines TO sera_house USING (true) WITH CHECK (true);
    CREATE POLICY hospital_all ON preview_outlines FOR ALL TO sera_hospital
        USING (hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid)
        WITH CHECK (
            hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid
            AND EXISTS (SELECT FROM previews p WHERE p.id = preview_id)
        );
    GRANT SELECT, INSERT ON preview_outlines TO sera_hospital;
"""

BACK = """
    DROP TRIGGER cases_forget_previews ON cases;
    DROP FUNCTION sera_forget_previews;
    DROP TABLE preview_outlines, previews;
    DROP FUNCTION sera_release_preview;
"""


def upgrade() -> None:
    for statements in (PREVIEWS, OUTLINES, ACCESS):
        _execute(statements)


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
