"""Row-level security: the database shows a hospital only its own rows.

The system's role sees every row of a protected table. A table without row-level security has
no data of a single hospital. Of these tables the hospital's role may read only `models` (see
`privileges.sql`).
"""

from dataclasses import dataclass

from alembic import op

from shared.ledger.migrations.initial.roles import HOSPITAL, SYSTEM

THIS_HOSPITAL = "NULLIF(current_setting('sera.hospital', true), '')::uuid"
OWN_ROWS = f"hospital_id = {THIS_HOSPITAL}"
OWN_CASE = "EXISTS (SELECT FROM cases c WHERE c.id = case_id)"
OWN_JOB = "EXISTS (SELECT FROM jobs j WHERE j.id = job_id)"
OWN_STUDY = "EXISTS (SELECT FROM reader_studies s WHERE s.id = study_id)"
OWN_PERSON = "EXISTS (SELECT FROM people p WHERE p.id = person_id)"
"""These queries are under row-level security. A foreign key is not, and would accept the row of
another hospital."""
STAFF = f"{OWN_ROWS} AND role IN ('submitter', 'reader')"
"""The only roles that a hospital may give to keys and people."""
PSEUDONYMS = "name = 'pseudonyms'"


@dataclass(frozen=True)
class Policy:
    """What `sera_hospital` may do with a table's rows."""

    command: str
    using: str | None = None
    """SQL condition for the rows that the command sees."""
    check: str | None = None
    """SQL condition for the rows that the command may write."""


def _all(check: str) -> tuple[Policy, ...]:
    """A hospital sees its own rows, and may write rows that satisfy the check."""
    return (Policy(command="ALL", using=OWN_ROWS, check=check),)


READ_OWN = (Policy(command="SELECT", using=OWN_ROWS),)
STAFF_ONLY = (
    Policy(command="SELECT", using=OWN_ROWS),
    Policy(command="INSERT", check=STAFF),
    Policy(command="UPDATE", using=STAFF, check=STAFF),
)
NO_POLICIES: tuple[Policy, ...] = ()

POLICIES: dict[str, tuple[Policy, ...]] = {
    "hospitals": (Policy(command="SELECT", using=f"id = {THIS_HOSPITAL}"),),
    "allowances": _all(check=OWN_ROWS),
    "api_keys": STAFF_ONLY,
    "secrets": (Policy(command="ALL", using=PSEUDONYMS, check=PSEUDONYMS),),
    "people": STAFF_ONLY,
    "sessions": NO_POLICIES,
    "strangers": NO_POLICIES,
    "doorsteps": NO_POLICIES,
    "arrivals": NO_POLICIES,
    "audit_events": _all(check=OWN_ROWS),
    "audit_checkpoints": (
        Policy(command="SELECT", using=f"chain = ({THIS_HOSPITAL})::text"),
    ),
    "cases": _all(check=OWN_ROWS),
    "receipts": _all(check=OWN_ROWS),
    "outcomes": _all(check=f"{OWN_ROWS} AND {OWN_CASE}"),
    "orphans": NO_POLICIES,
    "jobs": _all(check=f"{OWN_ROWS} AND {OWN_CASE}"),
    "results": READ_OWN,
    "observations": READ_OWN,
    "explanations": _all(check=f"{OWN_ROWS} AND {OWN_JOB}"),
    "explanation_maps": READ_OWN,
    "shadow_results": NO_POLICIES,
    "reader_studies": _all(check=OWN_ROWS),
    "reader_study_cases": _all(
        check=f"{OWN_ROWS} AND {OWN_STUDY} AND {OWN_CASE} AND {OWN_JOB}"
    ),
    "reader_study_readers": _all(check=f"{OWN_ROWS} AND {OWN_STUDY} AND {OWN_PERSON}"),
    "reader_showings": _all(check=f"{OWN_ROWS} AND {OWN_STUDY}"),
    "reader_readings": _all(check=f"{OWN_ROWS} AND {OWN_STUDY}"),
    "reader_breaches": _all(check=f"{OWN_ROWS} AND {OWN_STUDY}"),
}
"""The policies of each table. FORCE applies them to the owner of the tables, too."""


def protect_rows() -> None:
    for table, policies in POLICIES.items():
        op.execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        )
        op.execute(
            f"CREATE POLICY house ON {table} TO {SYSTEM} USING (true) WITH CHECK (true)"
        )
        for policy in policies:
            op.execute(_statement(table, policy))


def _statement(table: str, policy: Policy) -> str:
    name = f"hospital_{policy.command.lower()}"
    clauses = [
        f"CREATE POLICY {name} ON {table} FOR {policy.command} TO {HOSPITAL}",
    ]
    if policy.using:
        clauses.append(f"USING ({policy.using})")
    if policy.check:
        clauses.append(f"WITH CHECK ({policy.check})")
    return " ".join(clauses)
