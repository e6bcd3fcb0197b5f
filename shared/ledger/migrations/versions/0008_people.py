"""People sign in: accounts, sessions, and what slows down those who guess."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

HOUSE = "sera_house"
HOSPITAL = "sera_hospital"
OWN = "hospital_id = NULLIF(current_setting('sera.hospital', true), '')::uuid"
STAFF = f"{OWN} AND role IN ('submitter', 'reader')"
TABLES = ("arrivals", "doorsteps", "strangers", "sessions", "people")
SHOWN = (
    "id, name, hospital_id, role, must_change, totp_since, failures, locked_until, signed_in_at, generation, "
    "disabled_at, created_at"
)
MADE = "id, name, hospital_id, role, password_hash, must_change, issuer, subject"
CHANGED = (
    "role, password_hash, must_change, totp_secret, totp_since, totp_step, recovery, failures, locked_until, "
    "generation, disabled_at"
)
"""A hospital's transaction sets a password's hash and never reads one."""


def upgrade() -> None:
    _people()
    _sessions()
    _attempts()
    for table in TABLES:
        op.execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        )
        op.execute(
            f"CREATE POLICY house ON {table} TO {HOUSE} USING (true) WITH CHECK (true)"
        )
    op.execute(
        f"CREATE POLICY hospital_select ON people FOR SELECT TO {HOSPITAL} USING ({OWN})"
    )
    op.execute(
        f"CREATE POLICY hospital_insert ON people FOR INSERT TO {HOSPITAL} WITH CHECK ({STAFF})"
    )
    op.execute(
        f"CREATE POLICY hospital_update ON people FOR UPDATE TO {HOSPITAL} USING ({STAFF}) WITH CHECK ({STAFF})"
    )
    op.execute(
        f"GRANT SELECT ({SHOWN}), INSERT ({MADE}), UPDATE ({CHANGED}) ON people TO {HOSPITAL}"
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column(
            "must_change", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("issuer", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        _moment("totp_since", False),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column(
            "recovery",
            postgresql.JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "failures", sa.Integer(), server_default=sa.text("0"), nullable=False
        ),
        _moment("locked_until", False),
        _moment("signed_in_at", False),
        sa.Column(
            "generation", sa.Integer(), server_default=sa.text("0"), nullable=False
        ),
        _moment("disabled_at", False),
        _moment("created_at", True),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("issuer", "subject", name="person_of_provider"),
    )
    op.create_index("ix_people_hospital_id", "people", ["hospital_id"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        _moment("created_at", True),
        _moment("seen_at", True),
        sa.Column("idle_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _moment("revoked_at", False),
        sa.Column("origin", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"])


def _attempts() -> None:
    op.create_table(
        "strangers",
        sa.Column("name_hmac", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        _moment("locked_until", False),
        _moment("tried_at", True),
        sa.PrimaryKeyConstraint("name_hmac"),
    )
    op.create_table(
        "doorsteps",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        _moment("filled_at", True),
        sa.PrimaryKeyConstraint("origin"),
    )
    op.create_index("ix_doorsteps_filled_at", "doorsteps", ["filled_at"])
    op.create_table(
        "arrivals",
        sa.Column("state_sha256", sa.String(), nullable=False),
        sa.Column("browser_sha256", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("verifier", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_sha256"),
    )
    op.create_index("ix_arrivals_expires_at", "arrivals", ["expires_at"])


def _moment(name: str, now: bool) -> sa.Column[Any]:
    default = sa.text("clock_timestamp()") if now else None
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=default, nullable=not now
    )
