"""Making a backup while SERA serves.

An object is in the store before a row names it, and no object ever changes. So the ledger is read first, at one moment,
and then the objects that it names at that moment; what erasures remove meanwhile is told apart from what is lost.
"""

from dataclasses import dataclass
from pathlib import Path

from shared.backup.files import lines, measured, packed
from shared.backup.folder import Place
from shared.backup.keys import FOLDER, fingerprints, save
from shared.backup.manifest import Manifest, ObjectsPart, TablePart
from shared.backup.objects import Copied, Told, copy, silent, with_files
from shared.backup.withdrawal_notes import add
from shared.domain.audit.events import Event
from shared.ledger import Ledger
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.backup.snapshot import Snapshot, released_objects, snapshot
from shared.objects import ObjectStore
from shared.version import VERSION

LEDGER = "ledger"
OBJECTS = "objects.gz"


@dataclass(frozen=True)
class Source:
    """What is backed up: a ledger, its objects, and the keys that are here."""

    database_url: str
    objects: ObjectStore
    keys: dict[str, str]


@dataclass(frozen=True)
class Taken:
    """A backup that is whole, and what making it took."""

    name: str
    folder: Path
    manifest: Manifest
    copied: Copied


def take(
    place: Place,
    source: Source,
    *,
    with_keys: bool = False,
    report_progress: Told = silent,
) -> Taken:
    """Raises SchemaBehind, CodeBehind, SchemaUnreleased, PlaceOpen, PlaceBusy, PlaceUnwritable,
    StorageFull, Unavailable.
    """
    with place.held(), place.draft() as draft:
        with snapshot(source.database_url) as moment:
            parts = {
                "tables": _tables(moment, draft, report_progress),
                **_facts(moment),
            }
            hashes = moment.object_hashes()
            models = moment.models()
            add(place, moment.withdrawn())
        wanted = with_files(hashes, models, source.objects)
        copied = copy(
            wanted,
            source.objects,
            place.objects,
            report_progress,
            set(place.stored()).__contains__,
        )
        gone = (
            released_objects(source.database_url, copied.missing)
            if copied.missing
            else set()
        )
        missing = [sha256 for sha256 in copied.missing if sha256 not in gone]
        listed = listing(draft, sorted(set(wanted) - gone), copied)
        if with_keys:
            save(source.keys, draft / FOLDER)
        manifest = Manifest(
            sera=VERSION,
            objects=listed,
            let_go=len(gone),
            missing=missing,
            keys=fingerprints(source.keys),
            with_keys=with_keys,
            **parts,
        )
        name = manifest.named(manifest.write(draft))
        folder = place.keep(draft, name)
    _record(source.database_url, name, manifest)
    return Taken(name, folder, manifest, copied)


def listed(folder: Path) -> list[str]:
    """The hashes of a backup's objects."""
    return lines(folder / OBJECTS)


def _facts(moment: Snapshot) -> dict[str, object]:
    return {
        "at": moment.at,
        "schema_revision": moment.revision,
        "postgres": moment.server,
        "heads": moment.heads(),
    }


def _tables(moment: Snapshot, draft: Path, told: Told) -> dict[str, TablePart]:
    (draft / LEDGER).mkdir()
    tables = moment.tables()
    parts = {}
    for place, (name, columns) in enumerate(tables.items(), start=1):
        path = draft / LEDGER / f"{name}.gz"
        with packed(path) as out:
            rows = moment.copy(name, columns, out)
        parts[name] = TablePart(
            columns=columns, rows=rows, **measured(path).model_dump()
        )
        told("ledger", place / len(tables), name)
    return parts


def listing(draft: Path, hashes: list[str], copied: Copied) -> ObjectsPart:
    path = draft / OBJECTS
    with packed(path) as out:
        out.writelines(f"{sha256}\n".encode() for sha256 in hashes)
    return ObjectsPart(count=len(hashes), new=copied.new, **measured(path).model_dump())


def _record(url: str, name: str, manifest: Manifest) -> None:
    """The trail says that all that SERA knows was copied, and under which hash."""
    ledger = Ledger(url, pool_size=1)
    try:
        with ledger.system_session("cli") as session:
            _told(session.audit, name, manifest)
    finally:
        ledger.close()


def _told(audit: AuditTrail, name: str, manifest: Manifest) -> None:
    audit.record(
        Event.BACKUP_MADE,
        backup=name,
        schema=manifest.schema_revision,
        files=manifest.objects.count,
    )
