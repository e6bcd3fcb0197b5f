"""Notes of all erased cases and revoked keys, stored beside the backups.

With a note, the restore of an older backup erases and revokes them again. A note needs one query,
so it should be made often (`./sera backup note`). An erasure after the latest note is missing in
it. An export of the audit trail that was stored elsewhere contains that erasure.
"""

import json
from pathlib import Path

from shared.backup.folder import BackupFolder, write_private
from shared.domain.audit.events import Event
from shared.domain.audit.export import AuditExport
from shared.domain.audit.withdrawals import Withdrawals
from shared.errors import SeraError
from shared.ledger.backup.snapshot import snapshot


class NoteUnreadable(SeraError):
    code = "note-unreadable"
    text = (
        "{path}, which tells what was erased since the backups, cannot be read. Repair it from a "
        "copy; or remove it, and give an export of the audit trail with --erased instead."
    )


def update_note(backups: BackupFolder, url: str) -> Withdrawals:
    """Add the present withdrawals of the ledger to the note; returns the whole note."""
    with backups.locked(), snapshot(url) as moment:
        return add_to_note(backups, moment.withdrawals())


def add_to_note(backups: BackupFolder, withdrawals: Withdrawals) -> Withdrawals:
    """Add withdrawals to the note. Earlier ones stay in it."""
    merged = read_note(backups) | withdrawals
    content = {**vars(merged), "keys": sorted(merged.keys)}
    write_private(backups.withdrawals_file, json.dumps(content, indent=1))
    return merged


def read_note(backups: BackupFolder) -> Withdrawals:
    """Raises NoteUnreadable."""
    path = backups.withdrawals_file
    try:
        content = json.loads(path.read_text())
        return Withdrawals(
            known_at=content["known_at"],
            cases=dict(content["cases"]),
            keys=frozenset(content["keys"]),
        )
    except FileNotFoundError:
        return Withdrawals()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoteUnreadable(path=path) from error


def read_export(path: Path) -> Withdrawals:
    """The withdrawals in an export of the audit trail. Raises ExportMissing, ExportUnreadable."""
    cases = {}
    keys = set()
    known_at = ""
    for link in AuditExport(path).links():
        known_at = max(known_at, link.at)
        details = json.loads(link.details)
        if link.event == Event.CASE_ERASED and link.case:
            cases[link.case] = details["ground"]
        elif link.event == Event.KEY_REVOKED:
            keys.add(details["key"])
    return Withdrawals(known_at=known_at, cases=cases, keys=frozenset(keys))
