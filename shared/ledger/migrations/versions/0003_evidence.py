"""Results are evidence: a result and its case are written once, and the audit trail has their hash.

The event `job.done` gets the hash from the database, so results of services of the release before
have it, too. Those services go on: they never change what is written once now, and the seals that
their workers make of single chains stand beside the series of seals of all chains.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None

WRITTEN_ONCE = (
    "id",
    "hospital_id",
    "image_sha256",
    "image_bytes",
    "image_format",
    "width",
    "height",
    "size_mm",
    "frame",
    "roi",
    "external_id",
    "device",
    "source",
    "removed",
    "findings",
    "duplicate_of",
    "batch",
    "descriptors",
)
"""The columns of a case that only its erasure changes."""
KEPT_AT_ERASURE = ("id", "hospital_id", "image_sha256", "created_at")

CASES = """
    CREATE FUNCTION sera_refuse_changed_case() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.erased_at IS NULL AND ({evidence})
            OR NEW.erased_at IS NOT NULL AND ({tombstone}) THEN
            RAISE EXCEPTION 'a case is written once' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;

    CREATE TRIGGER cases_written_once BEFORE UPDATE ON cases
        FOR EACH ROW EXECUTE FUNCTION sera_refuse_changed_case();
    REVOKE UPDATE ON cases FROM sera_house;
    GRANT UPDATE (erased_at, erased_by, erased_for) ON cases TO sera_house;
"""

JOBS = """
    CREATE FUNCTION sera_refuse_changed_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a job keeps its case, and a finished one its state'
            USING ERRCODE = 'restrict_violation';
    END $$;

    CREATE TRIGGER jobs_written_once BEFORE UPDATE ON jobs
        FOR EACH ROW WHEN (
            (NEW.id, NEW.case_id, NEW.hospital_id)
                IS DISTINCT FROM (OLD.id, OLD.case_id, OLD.hospital_id)
            OR OLD.state = 'done' AND NEW.state <> 'done')
        EXECUTE FUNCTION sera_refuse_changed_job();
"""

RESULTS = """
    CREATE TRIGGER results_append_only BEFORE UPDATE OR TRUNCATE ON results
        FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();

    CREATE FUNCTION sera_only_of_erased_job() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {schema}, pg_temp AS $$
    BEGIN
        IF NOT EXISTS (
            SELECT FROM jobs j JOIN cases c ON c.id = j.case_id
            WHERE j.id = OLD.job_id AND c.erased_at IS NOT NULL
        ) THEN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
        END IF;
        RETURN OLD;
    END $$;
    CREATE TRIGGER results_erasable BEFORE DELETE ON results
        FOR EACH ROW EXECUTE FUNCTION sera_only_of_erased_job();

    -- A job is answered once. The same answer again is left to the table's constraint, for the
    -- release before.
    CREATE FUNCTION sera_answer_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {schema}, pg_temp AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM results
            WHERE job_id = NEW.job_id AND model_digest <> NEW.model_digest
        ) THEN
            RAISE EXCEPTION 'the job has a result' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER results_once_a_job BEFORE INSERT ON results
        FOR EACH ROW EXECUTE FUNCTION sera_answer_once();

    REVOKE ALL ON FUNCTION sera_only_of_erased_job, sera_answer_once FROM PUBLIC;
    -- Whoever locks a result for its shadow needs the right to change it: the trigger refuses that.
    REVOKE UPDATE ON observations FROM sera_house;
"""

EVIDENCE = """
    -- The same form as shared.domain.audit.evidence makes of a result. Its id is random and goes
    -- with the result, so after an erasure nothing can be guessed from the hash.
    CREATE FUNCTION sera_evidence(job uuid) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT encode(sha256(convert_to(json_build_array(
            'sera-evidence/1'::text, r.id, r.job_id, r.hospital_id, c.id, c.hospital_id,
            c.image_sha256, c.size_mm::text, c.frame, c.roi::text, c.external_id, c.device,
            c.source, c.findings::text, c.descriptors::text, r.model_digest, r.body::text)::text,
            'UTF8')), 'hex')
        FROM results r JOIN jobs j ON j.id = r.job_id JOIN cases c ON c.id = j.case_id
        WHERE r.job_id = job AND (SELECT count(*) FROM results WHERE job_id = job) = 1
    $$;

    CREATE INDEX IF NOT EXISTS audit_evidence ON audit_events (case_id)
        WHERE event IN ('job.done', 'case.erased');
"""

AUDIT_CHAIN = """
    CREATE OR REPLACE FUNCTION sera_audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {schema}, pg_temp AS $$
    DECLARE
        last record;
    BEGIN
        PERFORM FROM hospitals WHERE id = NEW.hospital_id FOR KEY SHARE;
        NEW.chain := coalesce(NEW.hospital_id::text, 'house');
        PERFORM pg_advisory_xact_lock(hashtextextended('sera-audit/' || NEW.chain, 0));
        SELECT number, hash INTO last FROM audit_events
        WHERE chain = NEW.chain ORDER BY number DESC LIMIT 1;
        NEW.id := nextval(pg_get_serial_sequence('audit_events', 'id'));
        NEW.at := clock_timestamp();
        NEW.number := coalesce(last.number, 0) + 1;
        NEW.previous := coalesce(last.hash, repeat('0', 64));{evidence}
        NEW.hash := sera_audit_hash(NEW);
        RETURN NEW;
    END $$
"""
ADD_EVIDENCE = """
        IF NEW.event = 'job.done' THEN
            NEW.details := (NEW.details::jsonb
                || jsonb_build_object('evidence', sera_evidence(NEW.job_id)))::json;
        END IF;"""

SERIES = """
    -- The seals of all chains in one series: each has the hash of the one before. Of the heads it
    -- has those that moved since.
    CREATE TABLE audit_seals (
        number bigint PRIMARY KEY,
        at timestamptz NOT NULL,
        previous varchar NOT NULL,
        key varchar NOT NULL,
        signature varchar NOT NULL
    );
    CREATE TABLE audit_heads (
        chain varchar NOT NULL,
        series bigint NOT NULL REFERENCES audit_seals,
        number bigint NOT NULL,
        hash varchar NOT NULL,
        PRIMARY KEY (chain, series)
    );
    CREATE INDEX audit_heads_of_seal ON audit_heads (series);
    CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
        FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
    CREATE TRIGGER audit_heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_heads
        FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change();
    GRANT SELECT, INSERT ON audit_seals, audit_heads TO sera_house;
    REVOKE UPDATE, DELETE ON audit_seals, audit_heads FROM sera_house;
"""

BACK = """
    DROP TABLE audit_heads, audit_seals;
    DROP INDEX audit_evidence;
    DROP TRIGGER results_once_a_job ON results;
    DROP TRIGGER results_erasable ON results;
    DROP TRIGGER results_append_only ON results;
    DROP TRIGGER jobs_written_once ON jobs;
    DROP TRIGGER cases_written_once ON cases;
    DROP FUNCTION sera_evidence, sera_answer_once, sera_only_of_erased_job,
        sera_refuse_changed_job, sera_refuse_changed_case;
    GRANT UPDATE ON cases, observations TO sera_house;
"""


def upgrade() -> None:
    cases = CASES.format(
        evidence=_is_changed(WRITTEN_ONCE), tombstone=_is_changed(KEPT_AT_ERASURE)
    )
    for statements in (cases, JOBS, RESULTS, EVIDENCE, SERIES):
        _execute(statements)
    _execute(AUDIT_CHAIN.replace("{evidence}", ADD_EVIDENCE))


def downgrade() -> None:
    _execute(AUDIT_CHAIN.replace("{evidence}", ""))
    _execute(BACK)


def _is_changed(columns: Iterable[str]) -> str:
    return " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in columns)


def _execute(statements: str) -> None:
    """Run them unchanged: `%` and `:` in them are not parameters."""
    connection = op.get_bind()
    schema = connection.scalar(sa.text("SELECT quote_ident(current_schema())"))
    connection.exec_driver_sql(
        statements.replace("{schema}", schema),
        execution_options={"no_parameters": True},
    )
