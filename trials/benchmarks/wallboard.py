"""Measures the query behind the wallboard, for each time window, with many jobs.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/wallboard.py --jobs 100000 --hospitals 20

The benchmark fills an embedded PostgreSQL with jobs of the last 24 hours. One in fifty failed, one
in a hundred waits, and the others have their results.
"""

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import text

from deploy.local import EmbeddedEngines
from services.api.wallboard.schemas import WallboardWindow
from services.api.wallboard.service import STEPS
from shared.ledger import Ledger
from shared.ledger.monitoring.wallboard import Span
from shared.ledger.schema.migrate import migrate
from shared.settings import Settings

REPEATS = 5
FILL = (
    (
        "INSERT INTO hospitals (id, name) SELECT gen_random_uuid(), 'hospital ' || n FROM "
        "generate_series(1, :hospitals) n"
    ),
    """
    CREATE TEMP TABLE drawn AS
    SELECT gen_random_uuid() AS case_id, gen_random_uuid() AS job_id, h.id AS hospital_id, n,
           clock_timestamp() - n * interval '1 day' / :jobs AS made,
           random() * interval '5 s' AS took,
           CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 100 = 1 THEN 'queued'
                ELSE 'done' END AS state
    FROM generate_series(1, :jobs) n
    JOIN (SELECT id, row_number() OVER () AS place FROM hospitals) h ON h.place = n % :hospitals + 1
    """,
    """
    INSERT INTO cases (id, hospital_id, image_sha256, image_bytes, image_format, width, height,
                       size_mm, created_at)
    SELECT case_id, hospital_id, 'a', 1, 'png', 9, 9, 12, made FROM drawn
    """,
    """
    INSERT INTO jobs (id, case_id, hospital_id, state, reason, created_at, queued_at, updated_at)
    SELECT job_id, case_id, hospital_id, state,
           CASE state WHEN 'failed' THEN 'image-unreadable' END,
           made, made, made + took FROM drawn
    """,
    """
    INSERT INTO results (id, job_id, hospital_id, model_digest, body, created_at)
    SELECT gen_random_uuid(), job_id, hospital_id, 'd',
           jsonb_build_object('filling', repeat('x', 2000)), made + took
    FROM drawn WHERE state = 'done'
    """,
    """
    INSERT INTO observations (job_id, model_digest, hospital_id, case_id, score, risk, decision,
                              cutoff, warnings, created_at)
    SELECT job_id, 'd', hospital_id, case_id, 0.5, 0.5,
           CASE WHEN n % 9 = 0 THEN 'refer' ELSE 'benign' END, 0.45, '[]', made + took
    FROM drawn WHERE state = 'done'
    """,
    "ANALYZE",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--hospitals", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, EmbeddedEngines(Path(home)) as engines:
        url = Settings(home=Path(home), database_url=engines.database_url).database
        migrate(url)
        ledger = Ledger(url)
        with ledger.engine.begin() as connection:
            for statement in FILL:
                connection.execute(text(statement), vars(arguments))
        for window in WallboardWindow:
            bucket, buckets = STEPS[window]
            query_s, results = _measure_query(ledger, bucket, buckets)
            print(
                f"{window:4} {1000 * query_s:8.1f} ms for {results:,} results of "
                f"{arguments.jobs:,} jobs"
            )
        ledger.close()


def _measure_query(
    ledger: Ledger, bucket: timedelta, buckets: int
) -> tuple[float, int]:
    """Median seconds of the query, and the number of results in its window."""
    times_s = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        with ledger.system_session("benchmark") as session:
            span = Span(end=session.wallboard.now(), bucket=bucket, buckets=buckets)
            reading = session.wallboard.read(span)
        times_s.append(time.perf_counter() - start)
    results = 0
    for throughput in reading.throughputs:
        # The row without a hospital and without a bucket is the sum of all.
        if throughput.hospital is None and throughput.bucket is None:
            results += throughput.results
    return median(times_s), results


if __name__ == "__main__":
    main()
