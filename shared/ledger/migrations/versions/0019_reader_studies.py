"""Reader studies: several people read the same cases blind and then aided; what was read stays as it is.

The database itself refuses a second reading, an aided one before the blind one, one of a study that is not open, and
any change of a study's cases and readers once it is open. With an erased case its readings go.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None

HOUSE = "sera_house"
HOSPITAL = "sera_hospital"
OWN = "hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid"
OWN_STUDY = "EXISTS (SELECT FROM reader_studies s WHERE s.id = study_id)"
OWN_CASE = "EXISTS (SELECT FROM cases c WHERE c.id = case_id)"
OWN_JOB = "EXISTS (SELECT FROM jobs j WHERE j.id = job_id)"
OWN_PERSON = "EXISTS (SELECT FROM people p WHERE p.id = person_id)"
"""Themselves under row-level security. A foreign key is not, and would take another hospital's."""
OF_CASE = ("reader_study_cases.study_id", "reader_study_cases.case_id")
OF_READER = ("reader_study_readers.study_id", "reader_study_readers.person_id")
CHECKS = {
    "reader_studies": OWN,
    "reader_study_cases": f"{OWN} AND {OWN_STUDY} AND {OWN_CASE} AND {OWN_JOB}",
    "reader_study_readers": f"{OWN} AND {OWN_STUDY} AND {OWN_PERSON}",
    "reader_showings": f"{OWN} AND {OWN_STUDY}",
    "reader_readings": f"{OWN} AND {OWN_STUDY}",
    "reader_breaches": f"{OWN} AND {OWN_STUDY}",
}
"""What `sera_hospital` may write; it sees its own."""
FIXED = ("reader_study_cases", "reader_study_readers")
KEPT = ("reader_showings", "reader_readings", "reader_breaches")

DRAFT = """
CREATE FUNCTION sera_only_in_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reader_studies WHERE id = NEW.study_id AND state = 'draft') THEN
        RAISE EXCEPTION 'only a draft takes in cases and readers' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
MOVE = """
CREATE FUNCTION sera_move_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (('draft', 'open'), ('draft', 'closed'), ('open', 'closed')) THEN
        RAISE EXCEPTION 'a reader study goes from draft to open to closed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
READ = """
CREATE FUNCTION sera_check_reading() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM reader_studies WHERE id = NEW.study_id AND state = 'open' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the reader study is not open' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.phase = 'aided' AND NOT EXISTS (
        SELECT FROM reader_readings r WHERE r.phase = 'blind' AND r.study_id = NEW.study_id
        AND r.person_id = NEW.person_id AND r.case_id = NEW.case_id
    ) THEN
        RAISE EXCEPTION 'the blind reading comes first' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
FORGET = """
CREATE FUNCTION sera_forget_readings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
BEGIN
    DELETE FROM reader_readings WHERE case_id = NEW.id;
    DELETE FROM reader_showings WHERE case_id = NEW.id;
    DELETE FROM reader_breaches WHERE case_id = NEW.id;
    RETURN NULL;
END $$
"""
FUNCTIONS = (
    "sera_only_in_draft()",
    "sera_move_study()",
    "sera_check_reading()",
    "sera_forget_readings()",
)


def upgrade() -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    _studies()
    _showings()
    _readings()
    _breaches()
    for function in (DRAFT, MOVE, READ, FORGET):
        op.execute(function.replace("{schema}", schema))
    _triggers()
    for table, check in CHECKS.items():
        op.execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        )
        op.execute(
            f"CREATE POLICY house ON {table} TO {HOUSE} USING (true) WITH CHECK (true)"
        )
        op.execute(
            f"CREATE POLICY hospital_all ON {table} TO {HOSPITAL} USING ({OWN}) WITH CHECK ({check})"
        )
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {HOSPITAL}")
    op.execute(
        f"GRANT UPDATE (state, opened_at, closed_at) ON reader_studies TO {HOSPITAL}"
    )
    op.execute(f"REVOKE UPDATE, DELETE ON {', '.join(CHECKS)} FROM {HOUSE}")


def downgrade() -> None:
    op.execute("DROP TRIGGER cases_forget_readings ON cases")
    for table in reversed(CHECKS):
        op.drop_table(table)
    op.execute(f"DROP FUNCTION {', '.join(FUNCTIONS)}")


def _studies() -> None:
    op.create_table(
        "reader_studies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "hospital_id", sa.Uuid(), sa.ForeignKey("hospitals.id"), nullable=False
        ),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("design", sa.String(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), server_default="draft", nullable=False),
        _moment("made_at"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(
            "state IN ('draft','open','closed')", name="reader_studies_state"
        ),
    )
    op.create_index("ix_reader_studies_hospital_id", "reader_studies", ["hospital_id"])
    op.create_table(
        "reader_study_cases",
        sa.Column(
            "study_id", sa.Uuid(), sa.ForeignKey("reader_studies.id"), nullable=False
        ),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("cases.id"), nullable=False),
        sa.Column(
            "hospital_id", sa.Uuid(), sa.ForeignKey("hospitals.id"), nullable=False
        ),
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("jobs.id"), nullable=False),
        sa.PrimaryKeyConstraint("study_id", "case_id"),
    )
    op.create_index("ix_reader_study_cases_case_id", "reader_study_cases", ["case_id"])
    op.create_table(
        "reader_study_readers",
        sa.Column(
            "study_id", sa.Uuid(), sa.ForeignKey("reader_studies.id"), nullable=False
        ),
        sa.Column("person_id", sa.Uuid(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column(
            "hospital_id", sa.Uuid(), sa.ForeignKey("hospitals.id"), nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("study_id", "person_id"),
        sa.UniqueConstraint("study_id", "number", name="reader_study_number"),
    )
    op.create_index(
        "ix_reader_study_readers_person_id", "reader_study_readers", ["person_id"]
    )


def _showings() -> None:
    op.create_table(
        "reader_showings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_whose(),
        sa.Column("phase", sa.String(), nullable=False),
        _moment("at"),
        sa.PrimaryKeyConstraint("id"),
        *_of_study("reader_showings"),
    )
    op.create_index(
        "reader_showings_of",
        "reader_showings",
        ["study_id", "person_id", "case_id", "phase"],
    )
    op.create_index("reader_showings_case", "reader_showings", ["case_id"])


def _readings() -> None:
    op.create_table(
        "reader_readings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_whose(),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("probability", sa.Integer(), nullable=False),
        sa.Column("malignant", sa.Boolean(), nullable=False),
        sa.Column("fna", sa.Boolean(), nullable=True),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("showings", sa.Integer(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("hidden_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        *_of_study("reader_readings"),
        sa.UniqueConstraint(
            "study_id", "person_id", "case_id", "phase", name="reader_readings_once"
        ),
        sa.CheckConstraint(
            "probability BETWEEN 0 AND 100", name="reader_readings_probability"
        ),
        sa.CheckConstraint("phase IN ('blind','aided')", name="reader_readings_phase"),
    )
    op.create_index("reader_readings_case", "reader_readings", ["case_id"])


def _breaches() -> None:
    op.create_table(
        "reader_breaches",
        *_whose(),
        sa.Column("what", sa.String(), nullable=False),
        _moment("at"),
        sa.PrimaryKeyConstraint("study_id", "case_id", "person_id", "what"),
        *_of_study("reader_breaches"),
    )


def _whose() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "hospital_id", sa.Uuid(), sa.ForeignKey("hospitals.id"), nullable=False
        ),
    )


def _of_study(table: str) -> tuple[sa.ForeignKeyConstraint, ...]:
    return (
        sa.ForeignKeyConstraint(["study_id", "case_id"], OF_CASE, name=f"{table}_case"),
        sa.ForeignKeyConstraint(
            ["study_id", "person_id"], OF_READER, name=f"{table}_reader"
        ),
    )


def _triggers() -> None:
    for table in FIXED:
        op.execute(
            f"CREATE TRIGGER {table}_fixed BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION sera_only_in_draft()"
        )
        _append_only(table, "UPDATE OR DELETE OR TRUNCATE")
    for table in KEPT:
        _append_only(table, "UPDATE OR TRUNCATE")
        op.execute(
            f"CREATE TRIGGER {table}_erasable BEFORE DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION sera_only_of_erased()"
        )
    op.execute(
        "CREATE TRIGGER reader_studies_move BEFORE UPDATE ON reader_studies "
        "FOR EACH ROW EXECUTE FUNCTION sera_move_study()"
    )
    op.execute(
        "CREATE TRIGGER reader_readings_in_order BEFORE INSERT ON reader_readings "
        "FOR EACH ROW EXECUTE FUNCTION sera_check_reading()"
    )
    op.execute(
        "CREATE TRIGGER cases_forget_readings AFTER UPDATE ON cases FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL) "
        "EXECUTE FUNCTION sera_forget_readings()"
    )
    op.execute("REVOKE ALL ON FUNCTION sera_forget_readings() FROM PUBLIC")


def _append_only(table: str, what: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE {what} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION sera_refuse_change()"
    )


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text("clock_timestamp()"),
        nullable=False,
    )
