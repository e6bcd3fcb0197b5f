"""Measures the cost of the audit chain: the same inserts without and with it, in one run.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/audit.py [--rounds 300]

Starts a PostgreSQL of its own. Times transactions of 16 events, as a batch of results writes them,
in a database whose chain was taken off and in one that has it: for one hospital, for a batch of
four hospitals, and with four writers at once on one chain. Then a whole batch's end (results,
observations, events), and the proof of what was written. Only ratios within one run mean anything.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
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
        costs = []
        for name, hospitals, writers in (
            ("one chain", 1, 1),
            ("four chains", 4, 1),
            ("four writers", 1, WRITERS),
        ):
            without_ms, with_ms = interleaved(
                unchained, chained, hospitals, writers, arguments.rounds
            )
            costs.append(with_ms - without_ms)
            print(
                f"{name:13} without {without_ms:7.2f} ms, with {with_ms:7.2f} ms for 16 events; "
                f"ratio {with_ms / without_ms:.2f}"
            )
        ended = batches(chained, arguments.rounds // 10)
        print(
            f"a batch's end {ended:.2f} ms, of which the chain is {costs[0] / ended:.0%}"
        )
        prove(chained)


def interleaved(
    unchained: Engine, chained: Engine, hospitals: int, writers: int, rounds: int
) -> tuple[float, float]:
    """Median milliseconds of a transaction on either, in turns so that the machine's moods meet
    both.
    """
    ids_unchained = [added(unchained, number) for number in range(hospitals)]
    ids_chained = [added(chained, number) for number in range(hospitals)]
    without_ms: list[float] = []
    with_ms: list[float] = []
    for _ in range(rounds // writers):
        without_ms += together(writers, lambda: write(unchained, ids_unchained))
        with_ms += together(writers, lambda: write(chained, ids_chained))
    return statistics.median(without_ms), statistics.median(with_ms)


def together(writers: int, work: Callable[[], None]) -> list[float]:
    if writers == 1:
        return [timed(work)]
    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(lambda _: timed(work), range(writers)))


def write(engine: Engine, hospitals: list[UUID]) -> None:
    told = sorted(hospitals * (EVENTS // len(hospitals)))
    with engine.begin() as connection:
        connection.execute(INSERT, {"hospitals": told, "details": DETAILS})


def batches(engine: Engine, rounds: int) -> float:
    """Median milliseconds of the transaction that ends a batch of 16."""
    ledger = Ledger(engine.url.render_as_string(hide_password=False))
    taken = []
    for _ in range(rounds):
        with ledger.system_session("bench") as system_session:
            hospital = system_session.hospitals.ensure("bench")
        with ledger.hospital_session(hospital, "bench") as hospital_session:
            for _ in range(EVENTS):
                hospital_session.jobs.create(
                    hospital_session.cases.add(
                        NewCase("a" * 64, 1, "png", 9, 9, 12.0, None, None)
                    ),
                    Priority.ROUTINE,
                )
        with ledger.system_session("bench") as system_session:
            lease = system_session.queue.claim("bench", EVENTS, LEASE, 5)
        results = {job.id: RESULT for job in lease.jobs}
        taken.append(
            timed(lambda held=lease.token, told=results: finish(ledger, held, told))
        )
    ledger.close()
    return statistics.median(taken)


def finish(ledger: Ledger, token: UUID, results: dict[UUID, Result]) -> None:
    with ledger.system_session("bench") as session:
        session.queue.finish(token, "d" * 64, results)


def prove(engine: Engine) -> None:
    ledger = Ledger(engine.url.render_as_string(hide_password=False))
    trail = AuditTrailReader(ledger, "bench")
    began = time.perf_counter()
    findings = verify(trail.links(), trail.seals(), is_signed)
    events = sum(findings.events.values())
    print(
        f"proof of {events} events: {events / (time.perf_counter() - began):.0f} events/s; "
        f"whole: {findings.is_intact}"
    )
    ledger.close()


def added(engine: Engine, number: int) -> UUID:
    with engine.begin() as connection:
        name = {"name": f"{number} {time.monotonic_ns()}"}
        new = "INSERT INTO hospitals (id, name) VALUES (gen_random_uuid(), :name) RETURNING id"
        return connection.execute(text(new), name).scalar_one()


def timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


@contextmanager
def database(url: str, name: str) -> Iterator[Engine]:
    """A migrated one of its own."""
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
