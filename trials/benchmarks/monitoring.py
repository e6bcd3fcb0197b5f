"""Compares the queries of dashboards with a plain `count(*)` over the same rows, in one run.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/monitoring.py --results 100000 --hospitals 20

The benchmark fills an embedded PostgreSQL with made-up results of 29 days. One in three has an
outcome, and one job in fifty failed. Only ratios within one run mean anything.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from pydantic import BaseModel
from sqlalchemy import text, update

from deploy.local import EmbeddedEngines
from services.api.monitoring import coverage, drift, performance, quality
from services.api.monitoring.service import days_before
from shared.ledger import Ledger
from shared.ledger.monitoring.observations import Observations, Window
from shared.ledger.schema.migrate import migrate
from shared.ledger.tables import ModelRow
from shared.settings import Settings

Measure = Callable[[Observations, Window], BaseModel]

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
    INSERT INTO cases (id, hospital_id, image_sha256, image_bytes, image_format, width, height,
                       size_mm, device, created_at)
    SELECT case_id, hospital_id, 'a', 1, 'png', 9, 9, 12, device, made FROM drawn
    """,
    """
    INSERT INTO jobs (id, case_id, hospital_id, state, reason, created_at)
    SELECT job_id, case_id, hospital_id, CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'done' END,
           CASE WHEN n % 50 = 0 THEN 'image-unreadable' END, made FROM drawn
    """,
    """
    INSERT INTO observations (job_id, model_digest, hospital_id, case_id, device, score, risk,
                              decision, cutoff, strangeness, embedding, benign_p, malignant_p,
                              warnings, created_at)
    SELECT job_id, :digest, hospital_id, case_id, device, risk, risk,
           CASE WHEN risk < 0.4 THEN 'benign' WHEN risk < 0.5 THEN 'refer' ELSE 'malignant' END,
           0.45, random(),
           (SELECT jsonb_agg(random() + c - c) FROM generate_series(1, :components) c WHERE n > 0),
           0.01 + 0.99 * random(), 0.01 + 0.99 * random(),
           CASE WHEN random() < 0.3 THEN '["roi-absent", "saturated"]' ELSE '[]' END::jsonb, made
    FROM drawn
    """,
    """
    INSERT INTO outcomes (case_id, hospital_id, malignant, source, consent, actor)
    SELECT case_id, hospital_id, random() < risk, 'histology', true, 'benchmark' FROM drawn
    WHERE n % 3 = 0
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
        count_s = _median_s(lambda: _count_observations(ledger))
        results = _count_observations(ledger)
        print(f"{'count(*)':12} {1000 * count_s:8.1f} ms over {results:,} results")
        window = Window(days_before(datetime.now(UTC), 30))
        measures: dict[str, Measure] = {
            "drift": drift.measure,
            "quality": quality.measure,
            "performance": performance.measure,
            "coverage": coverage.measure,
        }
        for name, measure in measures.items():
            query_s = _median_s(partial(_view_as_json, ledger, measure, window))
            print(
                f"{name:12} {1000 * query_s:8.1f} ms, "
                f"{query_s / count_s:6.1f} times the count"
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
    parameters = {
        "results": results,
        "hospitals": hospitals,
        "digest": DIGEST,
        "components": COMPONENTS,
    }
    with ledger.engine.begin() as connection:
        for statement in FILL:
            connection.execute(text(statement), parameters)
    uniform = np.linspace(0, 1, 101).tolist()
    quantiles = {
        "score": uniform,
        "strangeness": uniform,
        "embedding": [uniform] * COMPONENTS,
    }
    with ledger.system_session("benchmark") as session:
        session.models.store(
            digest=DIGEST,
            name="light",
            recipe="light",
            run_id=None,
            synthetic=True,
            metrics={},
        )
    with ledger.engine.begin() as connection:
        connection.execute(
            update(ModelRow).values(reference={"images": 1_000, "quantiles": quantiles})
        )


def _count_observations(ledger: Ledger) -> int:
    query = text("SELECT count(*) FROM observations")
    with ledger.engine.connect() as connection:
        count: int = connection.execute(query).scalar_one()
    return count


def _view_as_json(ledger: Ledger, measure: Measure, window: Window) -> str:
    with ledger.system_session("benchmark") as session:
        return measure(session.observations, window).model_dump_json()


def _median_s(work: Callable[[], object]) -> float:
    times_s = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - start)
    return median(times_s)


if __name__ == "__main__":
    main()
