"""Receipts hold whole answers, the house's too; drafts count their changes; earlier cases are found by their image."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OWN = "hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid"
OWN_CASE = "EXISTS (SELECT FROM cases c WHERE c.id = case_id)"
OWN_JOB = "EXISTS (SELECT FROM jobs j WHERE j.id = job_id)"
ANSWERS = """
    UPDATE receipts SET status = 202,
        headers = jsonb_build_object('content-type', 'application/json', 'location', '/v1/jobs/' || job_id),
        body = convert_to(jsonb_build_object('case_id', case_id, 'job_id', job_id, 'state', 'queued', 'links',
            jsonb_build_object('case', '/v1/cases/' || case_id, 'job', '/v1/jobs/' || job_id,
                'events', '/v1/jobs/' || job_id || '/events',
                'explanation', '/v1/cases/' || case_id || '/explanation.png'))::text, 'UTF8')
"""
JOBS = "UPDATE receipts r SET job_id = j.id FROM jobs j WHERE j.case_id = r.case_id"
NO_CASE = "DELETE FROM receipts WHERE hospital_id IS NULL OR job_id IS NULL"


def upgrade() -> None:
    op.execute("DROP POLICY hospital_all ON receipts")
    op.drop_constraint("receipts_pkey", "receipts", type_="primary")
    for name in ("receipts_case_id_fkey", "receipts_job_id_fkey"):
        op.drop_constraint(name, "receipts", type_="foreignkey")
    op.add_column(
        "receipts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    )
    op.create_primary_key("receipts_pkey", "receipts", ["id"])
    op.add_column("receipts", sa.Column("status", sa.Integer(), nullable=True))
    op.add_column(
        "receipts",
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    )
    op.add_column("receipts", sa.Column("body", sa.LargeBinary(), nullable=True))
    _as_house(ANSWERS)
    op.drop_column("receipts", "job_id")
    for name in ("hospital_id", "case_id"):
        op.alter_column("receipts", name, nullable=True)
    op.create_index(
        "receipts_once",
        "receipts",
        ["hospital_id", "key"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("receipts_kept", "receipts", ["created_at"])
    known = sa.text("case_id IS NOT NULL")
    op.create_index("receipts_of_case", "receipts", ["case_id"], postgresql_where=known)
    op.execute(
        f"CREATE POLICY hospital_all ON receipts TO sera_hospital USING ({OWN}) WITH CHECK ({OWN})"
    )
    op.execute("GRANT UPDATE ON receipts TO sera_hospital")
    first = sa.ForeignKey(
        "cases.id", name="cases_duplicate_of_fkey", ondelete="SET NULL"
    )
    op.add_column("cases", sa.Column("duplicate_of", sa.Uuid(), first, nullable=True))
    op.create_index(
        "cases_same_image", "cases", ["hospital_id", "image_sha256", "created_at"]
    )
    known = sa.text("duplicate_of IS NOT NULL")
    op.create_index(
        "cases_duplicated", "cases", ["duplicate_of"], postgresql_where=known
    )
    op.add_column(
        "datasets",
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("datasets", "revision")
    op.drop_index("cases_same_image", "cases")
    op.drop_column("cases", "duplicate_of")
    op.execute("REVOKE UPDATE ON receipts FROM sera_hospital")
    op.execute("DROP POLICY hospital_all ON receipts")
    for name in ("receipts_of_case", "receipts_kept", "receipts_once"):
        op.drop_index(name, "receipts")
    op.add_column("receipts", sa.Column("job_id", sa.Uuid(), nullable=True))
    _as_house(JOBS)
    _as_house(NO_CASE)
    for name in ("hospital_id", "case_id", "job_id"):
        op.alter_column("receipts", name, nullable=False)
    for name in ("body", "headers", "status", "id"):
        op.drop_column("receipts", name)
    op.create_primary_key("receipts_pkey", "receipts", ["hospital_id", "key"])
    for name, table in (("case_id", "cases"), ("job_id", "jobs")):
        op.create_foreign_key(
            f"receipts_{name}_fkey", "receipts", table, [name], ["id"]
        )
    check = f"{OWN} AND {OWN_CASE} AND {OWN_JOB}"
    op.execute(
        f"CREATE POLICY hospital_all ON receipts FOR ALL TO sera_hospital USING ({OWN}) WITH CHECK ({check})"
    )


def _as_house(statement: str) -> None:
    """The owner himself is under row-level security."""
    op.execute("SET LOCAL ROLE sera_house")
    op.execute(statement)
    op.execute("RESET ROLE")
