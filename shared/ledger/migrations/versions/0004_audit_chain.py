"""The audit trail becomes a chain of hashes for each hospital, append-only, sealed from time to time."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ADDED = {
    "origin": sa.String,
    "chain": sa.String,
    "number": sa.BigInteger,
    "previous": sa.String,
    "hash": sa.String,
}
TABLES = ("audit_events", "audit_checkpoints")
READS = "event IN ('case.read', 'result.read', 'explanation.read')"

HASH = """
CREATE FUNCTION sera_audit_hash(e audit_events) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(json_build_array(
        'sera-audit/1'::text, e.chain, e.number,
        to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        e.actor, e.origin, e.event, e.case_id, e.job_id, e.details::text, e.previous)::text, 'UTF8')), 'hex')
$$
"""
"""The same form as shared.domain.audit.chain makes of an event."""

CHAIN = """
CREATE FUNCTION sera_audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    last record;
BEGIN
    PERFORM FROM hospitals WHERE id = NEW.hospital_id FOR KEY SHARE;
    NEW.chain := coalesce(NEW.hospital_id::text, 'house');
    PERFORM pg_advisory_xact_lock(hashtextextended('sera-audit/' || NEW.chain, 0));
    SELECT number, hash INTO last FROM audit_events WHERE chain = NEW.chain ORDER BY number DESC LIMIT 1;
    NEW.id := nextval(pg_get_serial_sequence('audit_events', 'id'));
    NEW.at := clock_timestamp();
    NEW.number := coalesce(last.number, 0) + 1;
    NEW.previous := coalesce(last.hash, repeat('0', 64));
    NEW.hash := sera_audit_hash(NEW);
    RETURN NEW;
END $$
"""
"""The lock is held until the transaction ends, so the next event of the chain sees this one committed or gone.

Number, time and hash are made under it and never by the writer: whoever may only insert can neither choose a place nor
date an event back. The definer's rights let a writer extend a chain that it may not read. The hospital's row is held
first, as the foreign key would do later under the chain's lock: who holds the row and then writes an event waits in no
circle.
"""

EXISTING = """
DO $$
DECLARE
    e audit_events;
    last_chain text := '';
    last_number bigint;
    last_hash text;
BEGIN
    FOR e IN SELECT * FROM audit_events ORDER BY coalesce(hospital_id::text, 'house'), id LOOP
        e.chain := coalesce(e.hospital_id::text, 'house');
        IF e.chain <> last_chain THEN
            last_chain := e.chain; last_number := 0; last_hash := repeat('0', 64);
        END IF;
        e.number := last_number + 1; e.previous := last_hash; e.hash := sera_audit_hash(e);
        UPDATE audit_events SET chain = e.chain, number = e.number, previous = e.previous, hash = e.hash
        WHERE id = e.id;
        last_number := e.number; last_hash := e.hash;
    END LOOP;
END $$
"""


def upgrade() -> None:
    _columns()
    op.execute(HASH)
    op.execute(EXISTING)
    _constraints()
    _checkpoints()
    op.execute(CHAIN)
    op.execute(
        "CREATE TRIGGER audit_events_chain BEFORE INSERT ON audit_events "
        "FOR EACH ROW EXECUTE FUNCTION sera_audit_chain()"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("audit_checkpoints")
    op.execute("DROP TRIGGER audit_events_append_only ON audit_events")
    op.execute("DROP TRIGGER audit_events_chain ON audit_events")
    op.execute("DROP FUNCTION sera_audit_chain")
    op.execute("DROP FUNCTION sera_audit_hash")
    op.drop_index("audit_reads", "audit_events")
    for name in ADDED:
        op.drop_column("audit_events", name)
    _details("jsonb")


def _columns() -> None:
    for name, kind in ADDED.items():
        op.add_column("audit_events", sa.Column(name, kind(), nullable=True))
    _details("json")


def _details(kind: str) -> None:
    """`json` keeps the very text that was hashed; `jsonb` would write it anew."""
    op.execute("ALTER TABLE audit_events ALTER COLUMN details DROP DEFAULT")
    op.execute(
        f"ALTER TABLE audit_events ALTER COLUMN details TYPE {kind} USING details::text::{kind}"
    )
    op.execute(
        f"ALTER TABLE audit_events ALTER COLUMN details SET DEFAULT '{{}}'::{kind}"
    )


def _constraints() -> None:
    for name in ("chain", "number", "previous", "hash"):
        op.alter_column("audit_events", name, nullable=False)
    op.create_unique_constraint("audit_place", "audit_events", ["chain", "number"])
    op.create_check_constraint(
        "audit_chain_of_hospital",
        "audit_events",
        "chain = coalesce(hospital_id::text, 'house')",
    )
    op.create_index(
        "audit_reads",
        "audit_events",
        ["case_id", "actor"],
        postgresql_where=sa.text(READS),
    )


def _checkpoints() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("seal", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("chain", "seal", name="checkpoint_place"),
    )
