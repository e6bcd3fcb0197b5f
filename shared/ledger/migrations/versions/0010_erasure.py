"""Cases can be erased: a tombstone stays, everything else goes in the same transaction, and by no other way.

The database itself erases, when a case is marked as erased. So no service needs leave to delete anything of a case, and
none has it any more.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MARKS: dict[str, sa.types.TypeEngine[Any]] = {
    "erased_at": sa.DateTime(timezone=True),
    "erased_by": sa.String(),
    "erased_for": sa.String(),
}
EMPTIED = ("image_bytes", "image_format", "width", "height", "size_mm")
"""Told of every case that is kept, and of none that is erased."""
INDEXES = (
    ("explanations_png", "explanations", "png_sha256"),
    ("shadow_results_of_job", "shadow_results", "job_id"),
)
"""By which an erasure finds what it looks for."""
SEALED = ("cases", "jobs", "results", "explanations", "observations", "shadow_results")
"""Of which a service may no longer delete a row."""

BLANK = """
CREATE FUNCTION sera_blank_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'an erased case stays as it is' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.erased_at IS NOT NULL THEN
        NEW.erased_at := clock_timestamp();
        NEW.image_bytes := NULL; NEW.image_format := NULL; NEW.width := NULL; NEW.height := NULL;
        NEW.size_mm := NULL; NEW.frame := NULL; NEW.roi := NULL; NEW.external_id := NULL;
        NEW.device := NULL; NEW.removed := NULL; NEW.duplicate_of := NULL;
    END IF;
    RETURN NEW;
END $$
"""

FORGET = """
CREATE FUNCTION sera_forget_case() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp
AS $$
DECLARE
    of_case uuid[];
BEGIN
    UPDATE jobs SET
        reason = CASE WHEN state IN ('queued', 'running') THEN 'case-erased' ELSE reason END,
        state = CASE WHEN state = 'done' THEN state ELSE 'cancelled' END,
        message = NULL, lease_until = NULL, lease_token = NULL, updated_at = clock_timestamp()
    WHERE case_id = NEW.id;
    of_case := ARRAY(SELECT id FROM jobs WHERE case_id = NEW.id);
    WITH gone AS (DELETE FROM explanations WHERE job_id = ANY(of_case) RETURNING png_sha256)
    INSERT INTO orphans (sha256)
        SELECT png_sha256 FROM gone WHERE png_sha256 IS NOT NULL UNION SELECT NEW.image_sha256 ORDER BY 1
    ON CONFLICT (sha256) DO UPDATE SET since = clock_timestamp(), removed_at = NULL;
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
"""A worker that finishes the job at this moment is waited for at the job's row, and what it wrote is erased too.

One that comes later finds its lease gone. The definer's rights reach what the eraser may not delete by itself.
"""

MARK = """
CREATE FUNCTION sera_receipt_mark(hospital uuid, key text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    SELECT encode(sha256(value || convert_to(coalesce(hospital::text, 'house') || '/' || key, 'UTF8')), 'hex')
    FROM secrets WHERE name = 'receipts'
$$
"""
"""What a hospital's Idempotency-Key is kept as once its case is erased: a client may have put anything into it."""

HOLD = """
CREATE FUNCTION sera_hold_objects(hashes text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('sera-object/' || part, 0))
    FROM (SELECT DISTINCT left(hash, 2) AS part FROM unnest(hashes) AS hash ORDER BY 1) parts;
    RETURN QUERY DELETE FROM orphans WHERE sha256 = ANY(hashes) RETURNING sha256::text;
END $$
"""
"""Whoever adds a reference to an object holds it until the reference is committed; what is held is not removed."""

OF_ERASED = """
CREATE FUNCTION sera_only_of_erased() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM cases WHERE id = OLD.case_id AND erased_at IS NOT NULL) THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END IF;
    RETURN OLD;
END $$
"""
BLANKED = """
CREATE FUNCTION sera_only_blanked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
DECLARE
    blank CONSTANT text[] := ARRAY['roi', 'frame', 'size_mm', 'tirads'];
BEGIN
    IF NOT EXISTS (SELECT FROM cases WHERE id = OLD.case_id AND erased_at IS NOT NULL)
        OR num_nonnulls(NEW.roi, NEW.frame, NEW.size_mm, NEW.tirads) > 0
        OR to_jsonb(NEW) - blank <> to_jsonb(OLD) - blank THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$
"""
"""A frozen row of an erased case loses what tells of the nodule; what it was in the version, it stays."""
FUNCTIONS = (
    "sera_forget_case()",
    "sera_only_of_erased()",
    "sera_only_blanked()",
    "sera_receipt_mark(uuid, text)",
    "sera_hold_objects(text[])",
)


def upgrade() -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    _cases()
    _orphans()
    _versions()
    op.add_column("hospitals", sa.Column("retention_days", sa.Integer(), nullable=True))
    op.execute(
        "INSERT INTO secrets (name, value) "
        "VALUES ('receipts', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"
    )
    for function in (BLANK, MARK, FORGET, HOLD, OF_ERASED, BLANKED):
        op.execute(function.replace("{schema}", schema))
    _triggers()
    _grants()


def downgrade() -> None:
    op.execute("DROP TRIGGER outcomes_erasable ON outcomes")
    op.execute("DROP TRIGGER version_images_blanked ON version_images")
    for table in ("outcomes", "version_images"):
        _append_only(table, "UPDATE OR DELETE OR TRUNCATE")
    op.execute("DROP TRIGGER cases_blank ON cases")
    op.execute("DROP TRIGGER cases_forget ON cases")
    op.execute(f"DROP FUNCTION sera_blank_case(), {', '.join(FUNCTIONS)}")
    op.execute(f"GRANT DELETE ON {', '.join(SEALED)} TO sera_house")
    op.execute("GRANT UPDATE ON cases TO sera_hospital")
    op.execute("DELETE FROM secrets WHERE name = 'receipts'")
    op.drop_column("hospitals", "retention_days")
    op.drop_column("version_images", "case_id")
    op.drop_table("orphans")
    for name, table, _ in INDEXES:
        op.drop_index(name, table)
    op.drop_index("cases_of_image", "cases")
    op.drop_index("cases_kept", "cases")
    op.drop_constraint("cases_erased", "cases")
    op.execute(
        "UPDATE cases SET image_bytes = 0, image_format = '', width = 0, height = 0, size_mm = 0 "
        "WHERE erased_at IS NOT NULL"
    )
    for name in EMPTIED:
        op.alter_column("cases", name, nullable=False)
    for name in MARKS:
        op.drop_column("cases", name)


def _cases() -> None:
    for name, kind in MARKS.items():
        op.add_column("cases", sa.Column(name, kind, nullable=True))
    for name in EMPTIED:
        op.alter_column("cases", name, nullable=True)
    whole = " AND ".join(f"{name} IS NOT NULL" for name in EMPTIED)
    told = " AND ".join(f"{name} IS NOT NULL" for name in MARKS)
    op.create_check_constraint(
        "cases_erased",
        "cases",
        f"CASE WHEN erased_at IS NULL THEN {whole} ELSE {told} AND size_mm IS NULL END",
    )
    kept = sa.text("erased_at IS NULL")
    op.create_index(
        "cases_kept", "cases", ["hospital_id", "created_at"], postgresql_where=kept
    )
    op.create_index("cases_of_image", "cases", ["image_sha256"], postgresql_where=kept)
    for name, table, column in INDEXES:
        op.create_index(name, table, [column])


def _orphans() -> None:
    now = sa.text("clock_timestamp()")
    op.create_table(
        "orphans",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=now, nullable=False
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index(
        "orphans_waiting",
        "orphans",
        ["since"],
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.execute(
        "ALTER TABLE orphans ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    op.execute(
        "CREATE POLICY house ON orphans TO sera_house USING (true) WITH CHECK (true)"
    )


def _versions() -> None:
    """Frozen images that are in their draft still are told by it; others of before count as imported."""
    op.add_column(
        "version_images",
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("cases.id"), nullable=True),
    )
    op.execute("ALTER TABLE version_images DISABLE TRIGGER version_images_append_only")
    op.execute(
        "UPDATE version_images i SET case_id = d.case_id FROM dataset_versions v, dataset_images d "
        "WHERE v.id = i.version_id AND d.dataset_id = v.dataset_id AND d.image_sha256 = i.image_sha256 "
        "AND d.case_id IS NOT NULL"
    )
    op.execute("ALTER TABLE version_images ENABLE TRIGGER version_images_append_only")
    of_case = sa.text("case_id IS NOT NULL")
    op.create_index(
        "version_images_of_case",
        "version_images",
        ["case_id"],
        postgresql_where=of_case,
    )


def _triggers() -> None:
    op.execute(
        "CREATE TRIGGER cases_blank BEFORE UPDATE ON cases FOR EACH ROW EXECUTE FUNCTION sera_blank_case()"
    )
    op.execute(
        "CREATE TRIGGER cases_forget AFTER UPDATE ON cases FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL) "
        "EXECUTE FUNCTION sera_forget_case()"
    )
    _append_only("outcomes", "UPDATE OR TRUNCATE")
    _append_only("version_images", "DELETE OR TRUNCATE")
    op.execute(
        "CREATE TRIGGER version_images_blanked BEFORE UPDATE ON version_images "
        "FOR EACH ROW EXECUTE FUNCTION sera_only_blanked()"
    )
    op.execute(
        "CREATE TRIGGER outcomes_erasable BEFORE DELETE ON outcomes FOR EACH ROW EXECUTE FUNCTION sera_only_of_erased()"
    )


def _append_only(table: str, what: str) -> None:
    """For these commands the refusal is whole; the others have a trigger that looks at the row."""
    op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE {what} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change()"
    )


def _grants() -> None:
    op.execute(f"REVOKE ALL ON FUNCTION {', '.join(FUNCTIONS)} FROM PUBLIC")
    op.execute(
        f"GRANT EXECUTE ON FUNCTION {', '.join(FUNCTIONS[3:])} TO sera_house, sera_hospital"
    )
    op.execute(f"REVOKE DELETE ON {', '.join(SEALED)} FROM sera_house")
    op.execute("REVOKE UPDATE ON cases FROM sera_hospital")
    op.execute(f"GRANT UPDATE ({', '.join(MARKS)}) ON cases TO sera_hospital")
