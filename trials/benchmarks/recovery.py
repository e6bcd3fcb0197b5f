"""Measures a backup, its verification and a restore.

    python -m trials.benchmarks.recovery [--cases 2000] [--image-kib 100]

The embedded engines store on this machine's disk and force every write to it, as in real use. Each
case has an image of its own, a result and five audit events.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sqlalchemy import text

from deploy.local import EmbeddedEngines
from shared.backup import BackupFolder, Source, create_backup, restore, verify_backup
from shared.domain.audit.verification import verify
from shared.ledger import Ledger
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.schema.migrate import migrate
from shared.objects import ObjectStore, open_store
from shared.security.audit_signing import is_signed

T = TypeVar("T")
MIB = 1024**2
EVENTS = 5
"""Audit events of each case."""
CASES = text(
    "INSERT INTO cases (id, hospital_id, image_sha256, image_bytes, image_format, "
    "width, height, size_mm) "
    "SELECT gen_random_uuid(), :hospital, image, 1, 'png', 300, 300, 14 FROM "
    "unnest(CAST(:images AS text[])) image"
)
JOBS = text(
    "INSERT INTO jobs (id, case_id, hospital_id, state) SELECT gen_random_uuid(), id, "
    "hospital_id, 'done' FROM cases c "
    "WHERE NOT EXISTS (SELECT FROM jobs WHERE case_id = c.id)"
)
RESULTS = text(
    "INSERT INTO results (id, job_id, hospital_id, model_digest, body) SELECT "
    "gen_random_uuid(), id, hospital_id, 'm', "
    "jsonb_build_object('risk', random(), 'decision', 'benign', 'components', "
    "repeat('x', 1500)) FROM jobs j "
    "WHERE NOT EXISTS (SELECT FROM results WHERE job_id = j.id)"
)
AUDIT_EVENTS = text(
    "INSERT INTO audit_events (hospital_id, actor, event, case_id) SELECT hospital_id, "
    "'bench', 'job.done', id "
    "FROM cases, generate_series(1, :events) WHERE id NOT IN (SELECT case_id FROM "
    "audit_events WHERE case_id IS NOT NULL)"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--image-kib", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
        run(Path(folder), arguments.cases, arguments.image_kib * 1024)


def run(folder: Path, cases: int, image_bytes: int) -> None:
    backups = BackupFolder(folder / "backups")
    objects = open_store((folder / "objects").as_uri())
    with EmbeddedEngines(folder / "home") as engines:
        migrate(engines.database_url)
        source = Source(database_url=engines.database_url, objects=objects, keys={})
        fill(engines.database_url, objects, cases, image_bytes=image_bytes)
        first_backup = print_duration(
            f"first backup, {cases} cases", lambda: create_backup(backups, source)
        )
        new_cases = cases // 20
        fill(engines.database_url, objects, new_cases, image_bytes=image_bytes)
        print_duration(
            f"second backup, {new_cases} more", lambda: create_backup(backups, source)
        )
    print_duration("check of all bytes", lambda: verify_backup(backups))
    tables = first_backup.manifest.tables.values()
    ledger_mib = sum(table.size for table in tables) / MIB
    objects_mib = first_backup.copy_result.new_bytes / MIB
    print(f"{'sizes':<32} ledger {ledger_mib:.1f} MiB, objects {objects_mib:.0f} MiB")
    empty_store = open_store((folder / "fresh" / "objects").as_uri())
    start = time.monotonic()
    with EmbeddedEngines(folder / "fresh") as engines:
        print(f"{'an empty home':<32} {time.monotonic() - start:6.1f} s")
        print_duration(
            "restore, all read back",
            lambda: restore(
                backups, engines.database_url, empty_store, trusted_keys=None
            ),
        )
        print_duration("audit trail", lambda: verify_trail(engines.database_url))


def fill(url: str, objects: ObjectStore, cases: int, *, image_bytes: int) -> None:
    """Add cases with random images, their jobs, results and audit events."""
    images = [objects.put(os.urandom(image_bytes)).sha256 for _ in range(cases)]
    with closing(Ledger(url, pool_size=1)) as ledger:
        with ledger.system_session("bench") as session:
            hospital = session.hospitals.ensure("north")
        with ledger.engine.begin() as connection:
            connection.execute(CASES, {"hospital": hospital, "images": images})
            connection.execute(JOBS)
            connection.execute(RESULTS)
            connection.execute(AUDIT_EVENTS, {"events": EVENTS})


def verify_trail(url: str) -> None:
    with closing(Ledger(url, pool_size=1)) as ledger:
        trail = AuditTrailReader(ledger, "bench")
        seals = trail.seals()
        findings = verify(trail.links(), seals, is_signed)
    assert findings.is_intact
    print(f"{'':<32} {sum(findings.event_counts.values())} events are intact")


def print_duration(label: str, work: Callable[[], T]) -> T:
    start = time.monotonic()
    outcome = work()
    print(f"{label:<32} {time.monotonic() - start:6.1f} s", flush=True)
    return outcome


if __name__ == "__main__":
    main()
