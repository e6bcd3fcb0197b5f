"""What was erased or revoked, noted beside the backups, so that no older backup brings it back.

A note costs one query: make it often (`./sera backup note`). What was erased after the last note is in no backup's
reach; an export of the audit trail that was kept elsewhere tells of it.
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


def update_note(place: BackupFolder, url: str) -> Withdrawals:
    """Note what the ledger knows by now; returns all that is known."""
    with place.locked(), snapshot(url) as moment:
        return add_to_note(place, moment.withdrawn())


def add_to_note(place: BackupFolder, told: Withdrawals) -> Withdrawals:
    """What was known before stays known."""
    known = read_note(place) | told
    write_private(
        place.withdrawals_file,
        json.dumps({**vars(known), "keys": sorted(known.keys)}, indent=1),
    )
    return known


def read_note(place: BackupFolder) -> Withdrawals:
    """Raises NoteUnreadable."""
    try:
        told = json.loads(place.withdrawals_file.read_text())
        return Withdrawals(
            told["known_at"], dict(told["cases"]), frozenset(told["keys"])
        )
    except FileNotFoundError:
        return Withdrawals()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoteUnreadable(path=place.withdrawals_file) from error


def read_export(path: Path) -> Withdrawals:
    """What an export of the audit trail tells. Raises ExportMissing, ExportUnreadable."""
    cases = {}
    keys = set()
    last = ""
    for link in AuditExport(path).links():
        last = max(last, link.at)
        details = json.loads(link.details)
        if link.event == Event.CASE_ERASED and link.case:
            cases[link.case] = details["ground"]
        elif link.event == Event.KEY_REVOKED:
            keys.add(details["key"])
    return Withdrawals(last, cases, frozenset(keys))
