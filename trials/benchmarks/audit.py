"""Measures the cost of the audit chain: the same inserts without and with it, in one run.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/audit.py [--rounds 300]

The benchmark starts a PostgreSQL of its own. It times transactions of 16 events, the number that a
batch of results writes, in a database without the chain and in one with it: for one hospital, for a
batch of four hospitals, and with four concurrent writers on one chain. Then it times the end of a
whole batch (results, observations, events) and the verification of the chain. Only ratios within
one run mean anything.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, create_engine, text

from deploy.local import EmbeddedEngines
from services.api.jobs.schemas import RESULT
from shared.domain.audit.verification import verify
from shared.domain.jobs import Priority
from shared.domain.results.result import Result
from shared.ledger import Ledger
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.cases.repository import NewCase
from shared.ledger.schema.migrate import migrate
from shared.security.audit_signing import is_signed

EVENTS = 16
WRITERS = 4
LEASE = timedelta(minutes=5)
INSERT = text(
    "INSERT INTO audit_events (hospital_id, actor, event, details) "
    "SELECT unnest(CAST(:hospitals AS uuid[])), 'worker', 'job.done', CAST(:details AS json)"
)
UNCHAINED = """
    DROP TRIGGER audit_events_chain ON audit_events;
    ALTER TABLE audit_events
        DROP CONSTRAINT audit_place,
        DROP CONSTRAINT audit_chain_of_hospital,
        ALTER COLUMN chain DROP NOT NULL,
        ALTER COLUMN number DROP NOT NULL,
        ALTER COLUMN previous DROP NOT NULL,
        ALTER COLUMN hash DROP NOT NULL;
"""
DETAILS = '{"model": "' + "d" * 64 + '", "attempt": 1}'
NEW_HOSPITAL = text(
    "INSERT INTO hospitals (id, name) VALUES (gen_random_uuid(), :name) RETURNING id"
)


def main() -> None:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory() as home,
        EmbeddedEngines(Path(home)) as engines,
        database(engines.database_url, "unchained") as unchained,
        database(engines.database_url, "chained") as chained,
    ):
        with unchained.begin() as connection:
            connection.exec_driver_sql(UNCHAINED)
        chain_costs_ms = []
        for name, hospitals, writers in (
            ("one chain", 1, 1),
            ("four chains", 4, 1),
            ("four writers", 1, WRITERS),
        ):
            without_ms, with_ms = compare_writes(
                unchained, chained, hospitals, writers, rounds=arguments.rounds
            )
            chain_costs_ms.append(with_ms - without_ms)
            print(
                f"{name:13} without {without_ms:7.2f} ms, with {with_ms:7.2f} ms for 16 events; "
                f"ratio {with_ms / without_ms:.2f}"
            )
        batch_end_ms = time_batch_ends(chained, arguments.rounds // 10)
        chain_share = chain_costs_ms[0] / batch_end_ms
        print(
            f"the end of a batch takes {batch_end_ms:.2f} ms; the chain is {chain_share:.0%} of it"
        )
        verify_chains(chained)


def compare_writes(
    unchained: Engine, chained: Engine, hospitals: int, writers: int, rounds: int
) -> tuple[float, float]:
    """Median milliseconds of a transaction without and with the chain.

    The databases take turns, so that changes in the load of the machine affect both.
    """
    unchained_ids = [add_hospital(unchained, number) for number in range(hospitals)]
    chained_ids = [add_hospital(chained, number) for number in range(hospitals)]
    without_ms: list[float] = []
    with_ms: list[float] = []
    for _ in range(rounds // writers):
        without_ms += time_concurrently(
            writers, lambda: insert_events(unchained, unchained_ids)
        )
        with_ms += time_concurrently(
            writers, lambda: insert_events(chained, chained_ids)
        )
    return statistics.median(without_ms), statistics.median(with_ms)


def time_concurrently(writers: int, work: Callable[[], None]) -> list[float]:
    """Milliseconds of the same work in each of several threads."""
    if writers == 1:
        return [time_ms(work)]
    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(lambda _: time_ms(work), range(writers)))


def insert_events(engine: Engine, hospitals: list[UUID]) -> None:
    hospital_of_events = sorted(hospitals * (EVENTS // len(hospitals)))
    with engine.begin() as connection:
        connection.execute(
            INSERT, {"hospitals": hospital_of_events, "details": DETAILS}
        )


def time_batch_ends(engine: Engine, rounds: int) -> float:
    """Median milliseconds of the transaction that ends a batch of 16."""
    ledger = Ledger(engine.url.render_as_string(hide_password=False))
    times_ms = []
    for _ in range(rounds):
        submit_batch(ledger)
        with ledger.system_session("bench") as session:
            lease = session.queue.claim(
                "bench", max_jobs=EVENTS, lease=LEASE, max_attempts=5
            )
        results = {job.id: RESULT for job in lease.jobs}
        times_ms.append(time_ms(partial(finish, ledger, lease.token, results)))
    ledger.close()
    return statistics.median(times_ms)


def submit_batch(ledger: Ledger) -> None:
    with ledger.system_session("bench") as system_session:
        hospital = system_session.hospitals.ensure("bench")
    case = NewCase(
        image_sha256="a" * 64,
        image_bytes=1,
        image_format="png",
        width=9,
        height=9,
        size_mm=12.0,
        roi=None,
        external_id=None,
    )
    with ledger.hospital_session(hospital, "bench") as hospital_session:
        for _ in range(EVENTS):
            case_id = hospital_session.cases.add(case)
            hospital_session.jobs.create(case_id, Priority.ROUTINE)


def finish(ledger: Ledger, token: UUID, results: dict[UUID, Result]) -> None:
    with ledger.system_session("bench") as session:
        session.queue.finish(token, "d" * 64, results)


def verify_chains(engine: Engine) -> None:
    ledger = Ledger(engine.url.render_as_string(hide_password=False))
    trail = AuditTrailReader(ledger, "bench")
    start = time.perf_counter()
    findings = verify(trail.links(), trail.seals(), is_signed)
    seconds = time.perf_counter() - start
    events = sum(findings.event_counts.values())
    print(
        f"verification of {events} events: {events / seconds:.0f} events/s; "
        f"intact: {findings.is_intact}"
    )
    ledger.close()


def add_hospital(engine: Engine, number: int) -> UUID:
    name = f"{number} {time.monotonic_ns()}"
    with engine.begin() as connection:
        hospital: UUID = connection.execute(NEW_HOSPITAL, {"name": name}).scalar_one()
    return hospital


def time_ms(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


@contextmanager
def database(url: str, name: str) -> Iterator[Engine]:
    """A new database with all migrations."""
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine = create_engine(server.url.set(database=name), pool_size=WRITERS)
    migrate(engine.url.render_as_string(hide_password=False))
    yield engine
    engine.dispose()
    server.dispose()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=300)
    return parser.parse_args()


if __name__ == "__main__":
    main()
