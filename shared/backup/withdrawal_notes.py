"""Notes of all erased cases and revoked keys, stored beside the backups.

With a note, the restore of an older backup erases and revokes them again. A note needs one query,
so it should be made often (`./sera backup note`). An erasure after the latest note is missing in
it. An export of the audit trail that was stored elsewhere contains that erasure.
"""

import json
from collections.abc import Collection, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from shared.backup.folder import BackupFolder, write_private
from shared.backup.signatures import (
    NOTE_FORM,
    BackupUntrusted,
    Signature,
    check_signer,
    sign,
)
from shared.domain.audit.events import Event
from shared.domain.audit.export import AuditExport
from shared.domain.audit.withdrawals import Withdrawals
from shared.errors import SeraError
from shared.ledger.backup.snapshot import snapshot
from shared.observability.logs import log

UNTRUSTED_NOTE = "withdrawn.untrusted{number}.json"


class NoteUnreadable(SeraError):
    code = "note-unreadable"
    text = (
        "{path}, which tells what was erased since the backups, cannot be read. Repair it from a "
        "copy; or remove it, and give an export of the audit trail with --erased instead."
    )


class SealingKeyMissing(SeraError):
    code = "note-key-missing"
    text = (
        "{path} is signed with the sealing key, and that key is not in SERA_HOME/keys here. Write "
        "the note on a machine that has it. Nothing was changed."
    )


def update_note(backups: BackupFolder, url: str, keys: dict[str, str]) -> Withdrawals:
    """Add the present withdrawals of the ledger to the note; returns the whole note."""
    with backups.locked(), snapshot(url) as moment:
        return add_to_note(backups, moment.withdrawals(), keys)


def add_to_note(
    backups: BackupFolder, withdrawals: Withdrawals, keys: dict[str, str]
) -> Withdrawals:
    """Add withdrawals to the note, and sign it if the sealing key is here.

    Earlier ones stay in it. A note that this key did not sign is set aside first, so that the
    signature never covers what somebody else wrote.

    Raises SealingKeyMissing if the note is signed and the key is not here: unsigned, it would be
    refused with all backups beside it.
    """
    own_signature = sign(NOTE_FORM, b"", keys)
    trusted_keys = {own_signature.key} if own_signature else None
    if own_signature is None and _is_signed(backups.withdrawals_file):
        raise SealingKeyMissing(path=backups.withdrawals_file)
    try:
        earlier = read_note(backups, trusted_keys)
    except BackupUntrusted:
        aside = _set_aside(backups.withdrawals_file)
        log().warning("backup.note-set-aside", file=aside.name)
        earlier = Withdrawals()
    merged = earlier | withdrawals
    content: dict[str, Any] = {**vars(merged), "keys": sorted(merged.keys)}
    signature = sign(NOTE_FORM, _content_bytes(content), keys)
    if signature:
        content["signed"] = signature.model_dump()
    write_private(backups.withdrawals_file, json.dumps(content, indent=1))
    return merged


def _is_signed(path: Path) -> bool:
    """Whether a note has a signature; an unreadable one counts as unsigned."""
    try:
        return "signed" in json.loads(path.read_text())
    except (OSError, ValueError, TypeError):
        return False


def _set_aside(path: Path) -> Path:
    """Rename a file so that no earlier one is lost."""
    for number in count(1):
        suffix = "" if number == 1 else f"-{number}"
        aside = path.with_name(UNTRUSTED_NOTE.format(number=suffix))
        if not aside.exists():
            return path.replace(aside)
    raise AssertionError("there is always a further number")


def read_note(
    backups: BackupFolder, trusted_keys: Collection[str] | None
) -> Withdrawals:
    """`trusted_keys` are the public keys of whom the note may be; None trusts every note.

    Raises NoteUnreadable, BackupUntrusted.
    """
    path = backups.withdrawals_file
    try:
        content = json.loads(path.read_text())
        signed = content.pop("signed", None)
        signer = None
        if signed:
            signature = Signature.model_validate(signed)
            signer = signature.signer(NOTE_FORM, _content_bytes(content))
        note = Withdrawals(
            known_at=content["known_at"],
            cases=dict(content["cases"]),
            keys=frozenset(content["keys"]),
        )
    except FileNotFoundError:
        return Withdrawals()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoteUnreadable(path=path) from error
    check_signer(path, signer, trusted_keys)
    return note


def _content_bytes(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


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
