"""A place in the queue is counted as claims are made: by turns between hospitals, over their weights."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

READERS = "sera_house, sera_hospital"
BY_TURNS = """
    WITH lines AS (
        SELECT h.id, coalesce(h.weight, 1) AS weight,
               (SELECT count(*) FROM jobs WHERE hospital_id = h.id AND state = 'running')
               + (SELECT count(*) FROM results WHERE hospital_id = h.id AND created_at > now() - remembered)
               + (SELECT count(*) FROM jobs WHERE hospital_id = h.id AND state = 'queued' AND urgent AND NOT is_urgent)
               AS had
        FROM hospitals h
    ), mine AS MATERIALIZED (
        SELECT (had + 1 + (SELECT count(*) FROM jobs j WHERE j.hospital_id = lines.id AND state = 'queued'
                           AND urgent = is_urgent AND queued_at < since)) / weight AS turn
        FROM lines WHERE id = asker
    )
    SELECT (SELECT count(*) FROM jobs WHERE state = 'queued' AND urgent AND NOT is_urgent) + count(*)
    FROM lines CROSS JOIN mine CROSS JOIN LATERAL (
        SELECT queued_at, (had + row_number() OVER (ORDER BY queued_at, id)) / weight AS turn
        FROM jobs WHERE hospital_id = lines.id AND state = 'queued' AND urgent = is_urgent
        ORDER BY queued_at, id LIMIT greatest(ceil(mine.turn * weight) - had, 0)
    ) ahead
    WHERE (ahead.turn, ahead.queued_at) < (mine.turn, since)
"""
BY_AGE = """
    SELECT count(*) FROM jobs
    WHERE state = 'queued' AND ((urgent AND NOT is_urgent) OR (urgent = is_urgent AND queued_at < since))
"""


def upgrade() -> None:
    op.execute("DROP FUNCTION sera_jobs_ahead")
    _make(
        "asker uuid, is_urgent boolean, since timestamptz, remembered interval",
        BY_TURNS,
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION sera_jobs_ahead")
    _make("is_urgent boolean, since timestamptz", BY_AGE)


def _make(arguments: str, query: str) -> None:
    """A hospital learns the number of all that are ahead, and nothing else of them."""
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(
        f"CREATE FUNCTION sera_jobs_ahead({arguments}) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER "
        f"SET search_path = {schema}, pg_temp AS $$ {query} $$"
    )
    op.execute("REVOKE ALL ON FUNCTION sera_jobs_ahead FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION sera_jobs_ahead TO {READERS}")
