"""Measures a backup, its verification and a restore: `python -m trials.benchmarks.recovery [--cases
2000] [--image-kib 100]`.

Embedded engines on this machine's disk, everything forced to it as in real use. Each case has an
image of its own, a result and five events in the trail.
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
AUDIT_EVENTS_SQL = text(
    "INSERT INTO audit_events (hospital_id, actor, event, case_id) SELECT hospital_id, "
    "'bench', 'job.done', id "
    "FROM cases, generate_series(1, :each) WHERE id NOT IN (SELECT case_id FROM "
    "audit_events WHERE case_id IS NOT NULL)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--image-kib", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
        run(Path(folder), arguments.cases, arguments.image_kib * 1024)


def run(folder: Path, cases: int, image_bytes: int) -> None:
    place = BackupFolder(folder / "backups")
    objects = open_store((folder / "objects").as_uri())
    with EmbeddedEngines(folder / "home") as engines:
        migrate(engines.database_url)
        source = Source(engines.database_url, objects, {})
        fill(engines.database_url, objects, cases, image_bytes)
        first = timed(
            f"first backup, {cases} cases", lambda: create_backup(place, source)
        )
        fill(engines.database_url, objects, cases // 20, image_bytes)
        timed(
            f"second backup, {cases // 20} more", lambda: create_backup(place, source)
        )
    timed("check of all bytes", lambda: verify_backup(place))
    ledger = sum(part.size for part in first.manifest.tables.values()) / MIB
    print(
        f"{'sizes':<32} ledger {ledger:.1f} MiB, objects "
        f"{first.copy_result.new_bytes / MIB:.0f} MiB"
    )
    fresh = open_store((folder / "fresh" / "objects").as_uri())
    began = time.monotonic()
    with EmbeddedEngines(folder / "fresh") as engines:
        print(f"{'an empty home':<32} {time.monotonic() - began:6.1f} s")
        timed(
            "restore, all read back",
            lambda: restore(place, engines.database_url, fresh),
        )
        timed("audit trail", lambda: prove(engines.database_url))


def fill(url: str, objects: ObjectStore, cases: int, image_bytes: int) -> None:
    images = [objects.put(os.urandom(image_bytes)).sha256 for _ in range(cases)]
    with closing(Ledger(url, pool_size=1)) as ledger:
        with ledger.system_session("bench") as session:
            hospital = session.hospitals.ensure("north")
        with ledger.engine.begin() as line:
            line.execute(CASES, {"hospital": hospital, "images": images})
            line.execute(JOBS)
            line.execute(RESULTS)
            line.execute(AUDIT_EVENTS_SQL, {"each": EVENTS})


def prove(url: str) -> None:
    with closing(Ledger(url, pool_size=1)) as ledger:
        trail = AuditTrailReader(ledger, "bench")
        seals = trail.seals()
        findings = verify(trail.links(), seals, is_signed)
    assert findings.is_intact
    print(f"{'':<32} {sum(findings.events.values())} events are whole")


def timed(label: str, work: Callable[[], T]) -> T:
    began = time.monotonic()
    done = work()
    print(f"{label:<32} {time.monotonic() - began:6.1f} s", flush=True)
    return done


if __name__ == "__main__":
    main()
