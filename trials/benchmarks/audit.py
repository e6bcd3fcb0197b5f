"""What the chain of the audit trail costs: the same inserts before and after it, in one run.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/audit.py [--rounds 300]

Starts a PostgreSQL of its own. Times transactions of 16 events, as a batch of results writes them, on the tables of
before the chain and on those of now: for one hospital, for a batch of four hospitals, and with four writers at once on
one chain. Then a whole batch's end (results, observations, events), and the proof of what was written. Only ratios
within one run mean anything.
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

from alembic import command
from sqlalchemy import Engine, create_engine, text

from deploy.local import EmbeddedEngines
from services.api.jobs.schemas import RESULT
from shared.domain.audit.verification import verify
from shared.domain.jobs import Priority
from shared.domain.results.result import Result
from shared.ledger import Ledger
from shared.ledger.audit.export import Trail
from shared.ledger.cases.repository import NewCase
from shared.ledger.schema.migrate import configuration
from shared.security.audit_signing import signed

EVENTS = 16
WRITERS = 4
LEASE = timedelta(minutes=5)
INSERT = text(
    "INSERT INTO audit_events (hospital_id, actor, event, details) "
    "SELECT unnest(CAST(:hospitals AS uuid[])), 'worker', 'job.done', CAST(:details AS json)"
)
BEFORE = text(INSERT.text.replace("AS json)", "AS jsonb)"))
DETAILS = '{"model": "' + "d" * 64 + '", "attempt": 1}'


def main() -> None:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory() as home,
        EmbeddedEngines(Path(home)) as engines,
        database(engines.database_url, "0003") as before,
        database(engines.database_url, "head") as now,
    ):
        costs = []
        for name, hospitals, writers in (
            ("one chain", 1, 1),
            ("four chains", 4, 1),
            ("four writers", 1, WRITERS),
        ):
            old, new = interleaved(before, now, hospitals, writers, arguments.rounds)
            costs.append(new - old)
            print(
                f"{name:13} before {old:7.2f} ms, now {new:7.2f} ms for 16 events; ratio {new / old:.2f}"
            )
        ended = batches(now, arguments.rounds // 10)
        print(
            f"a batch's end {ended:.2f} ms, of which the chain is {costs[0] / ended:.0%}"
        )
        prove(now)


def interleaved(
    before: Engine, now: Engine, hospitals: int, writers: int, rounds: int
) -> tuple[float, float]:
    """Median milliseconds of a transaction on either, in turns so that the machine's moods meet both."""
    old, new = (
        [added(engine, each) for each in range(hospitals)] for engine in (before, now)
    )
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds // writers):
        taken[0].extend(together(writers, lambda: write(before, BEFORE, old)))
        taken[1].extend(together(writers, lambda: write(now, INSERT, new)))
    return statistics.median(taken[0]), statistics.median(taken[1])


def together(writers: int, work: Callable[[], None]) -> list[float]:
    if writers == 1:
        return [timed(work)]
    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(lambda _: timed(work), range(writers)))


def write(engine: Engine, insert: object, hospitals: list[UUID]) -> None:
    told = sorted(hospitals * (EVENTS // len(hospitals)))
    with engine.begin() as connection:
        connection.execute(insert, {"hospitals": told, "details": DETAILS})


def batches(engine: Engine, rounds: int) -> float:
    """Median milliseconds of the transaction that ends a batch of 16."""
    ledger = Ledger(engine.url.render_as_string(hide_password=False))
    taken = []
    for _ in range(rounds):
        with ledger.system_session("bench") as system_session:
            hospital = system_session.hospitals.ensure("bench")
        with ledger.hospital_session(hospital, "bench") as hospital_session:
            for _ in range(EVENTS):
                hospital_session.jobs.open(
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
    trail = Trail(ledger, "bench")
    began = time.perf_counter()
    findings = verify(trail.links(), trail.seals(), signed)
    events = sum(findings.events.values())
    print(
        f"proof of {events} events: {events / (time.perf_counter() - began):.0f} events/s; whole: {findings.whole}"
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
def database(url: str, revision: str) -> Iterator[Engine]:
    """One of its own, at this revision of the tables."""
    name = f"bench_{revision}"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine = create_engine(server.url.set(database=name), pool_size=WRITERS)
    with engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
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
