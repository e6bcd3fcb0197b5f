"""Compares the queries of dashboards with a plain `count(*)` over the same rows, in one run.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/monitoring.py --results 100000 --hospitals 20

Fills an embedded PostgreSQL with drawn results of 29 days, one in three with an outcome, one in
fifty jobs failed. Only ratios within one run mean anything.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
from sqlalchemy import text, update

from deploy.local import EmbeddedEngines
from services.api.monitoring import coverage, drift, performance, quality
from services.api.monitoring.service import days_before
from shared.ledger import Ledger
from shared.ledger.monitoring.observations import Window
from shared.ledger.schema.migrate import migrate
from shared.ledger.tables import ModelRow
from shared.settings import Settings

DIGEST = "a" * 64
COMPONENTS = 8
REPEATS = 5
FILL = (
    "SELECT setseed(0.5)",
    (
        "INSERT INTO hospitals (id, name) SELECT gen_random_uuid(), 'hospital ' || n FROM "
        "generate_series(1, :hospitals) n"
    ),
    """
    CREATE TEMP TABLE drawn AS
    SELECT gen_random_uuid() AS case_id, gen_random_uuid() AS job_id, h.id AS hospital_id, n,
           'maker ' || n / :hospitals % 3 AS device,
           clock_timestamp() - n % 29 * interval '1 day' AS made, random() AS risk
    FROM generate_series(1, :results) n
    JOIN (SELECT id, row_number() OVER () AS place FROM hospitals) h ON h.place = n % :hospitals + 1
    """,
    """
    INSERT INTO cases (id, hospital_id, image_sha256, image_bytes, image_format, width, height, size_mm,
                       device, created_at)
    SELECT case_id, hospital_id, 'a', 1, 'png', 9, 9, 12, device, made FROM drawn
    """,
    """
    INSERT INTO jobs (id, case_id, hospital_id, state, reason, created_at)
    SELECT job_id, case_id, hospital_id, CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'done' END,
           CASE WHEN n % 50 = 0 THEN 'image-unreadable' END, made FROM drawn
    """,
    """
    INSERT INTO observations (job_id, model_digest, hospital_id, case_id, device, score, risk, decision, cutoff,
                              strangeness, embedding, benign_p, malignant_p, warnings, created_at)
    SELECT job_id, :digest, hospital_id, case_id, device, risk, risk,
           CASE WHEN risk < 0.4 THEN 'benign' WHEN risk < 0.5 THEN 'refer' ELSE 'malignant' END, 0.45, random(),
           (SELECT jsonb_agg(random() + c - c) FROM generate_series(1, :components) c WHERE n > 0),
           0.01 + 0.99 * random(), 0.01 + 0.99 * random(),
           CASE WHEN random() < 0.3 THEN '["roi-absent", "saturated"]' ELSE '[]' END::jsonb, made
    FROM drawn
    """,
    """
    INSERT INTO outcomes (case_id, hospital_id, malignant, source, consent, actor)
    SELECT case_id, hospital_id, random() < risk, 'histology', true, 'benchmark' FROM drawn WHERE n % 3 = 0
    """,
    "ANALYZE",
)


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as home, EmbeddedEngines(Path(home)) as engines:
        url = Settings(home=Path(home), database_url=engines.database_url).database
        migrate(url)
        ledger = Ledger(url)
        _fill(ledger, arguments.results, arguments.hospitals)
        counted = _timed(lambda: _count(ledger))
        print(
            f"{'count(*)':12} {1000 * counted:8.1f} ms over {_count(ledger):,} results"
        )
        window = Window(days_before(datetime.now(UTC), 30))
        for asked in (drift, quality, performance, coverage):
            took = _timed(
                lambda measure=asked.measure: _measured(ledger, measure, window)
            )
            print(
                f"{asked.__name__.rpartition('.')[2]:12} {1000 * took:8.1f} ms, "
                f"{took / counted:6.1f} times the count"
            )
        ledger.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=int, default=100_000)
    parser.add_argument("--hospitals", type=int, default=20)
    return parser.parse_args()


def _fill(ledger: Ledger, results: int, hospitals: int) -> None:
    told = {
        "results": results,
        "hospitals": hospitals,
        "digest": DIGEST,
        "components": COMPONENTS,
    }
    with ledger.engine.begin() as connection:
        for statement in FILL:
            connection.execute(text(statement), told)
    table = np.linspace(0, 1, 101).tolist()
    quantiles = {
        "score": table,
        "strangeness": table,
        "embedding": [table] * COMPONENTS,
    }
    with ledger.system_session("benchmark") as session:
        session.models.store(DIGEST, "light", "light", None, True, {})
    with ledger.engine.begin() as connection:
        connection.execute(
            update(ModelRow).values(reference={"images": 1_000, "quantiles": quantiles})
        )


def _count(ledger: Ledger) -> int:
    with ledger.engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM observations"))


def _measured(ledger: Ledger, measure: Callable, window: Window) -> bytes:
    with ledger.system_session("benchmark") as session:
        return measure(session.observations, window).model_dump_json().encode()


def _timed(work: Callable[[], object]) -> float:
    """Median seconds."""
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return median(took)


if __name__ == "__main__":
    main()
