"""Finds the engines for `./sera backup` and `./sera restore`, and words their results."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from cli.output.audit_findings import sentences as audit_sentences
from deploy.local import Stack, Urls
from deploy.local.errors import StackNotRunning
from deploy.local.home import Home
from deploy.local.state import StackState
from shared.backup import CreatedBackup, Manifest, RestoreResult, VerificationResult
from shared.backup.keys import LOSS_TEXTS, SEAL_KEY_FILE, SETTING_BY_KEY_FILE
from shared.backup.objects import CopyResult
from shared.domain.audit.verification import Findings
from shared.errors import SeraError
from shared.settings import Settings

MIB = 1024**2
NO_BROKER = "none"
"""Replaces the broker's URL, because backups send no notifications."""


class NothingToBackUp(SeraError):
    code = "nothing-to-back-up"
    text = (
        "There is no ledger in {home}. Set SERA_HOME to where SERA keeps its data, or "
        "SERA_DATABASE_URL to the address of its database."
    )


@dataclass(frozen=True)
class Engines:
    """The URL of the ledger with its owner's login, and the URL of the object store."""

    database_url: str
    objects_url: str


@contextmanager
def serving_engines(settings: Settings) -> Iterator[Engines]:
    """The engines to back up.

    They are the user's own engines if settings name them, else the engines of the running stack,
    else the embedded engines, which are started only for the backup.
    """
    if settings.database_url:
        yield Engines(settings.database_owner, settings.objects)
        return
    try:
        running = StackState.load(settings.home)
    except StackNotRunning:
        if not Home(settings.home).database.exists():
            raise NothingToBackUp(home=settings.home) from None
        with embedded_engines(settings) as engines:
            yield engines
        return
    yield Engines(running.database_url, running.objects_url)


@contextmanager
def empty_engines(settings: Settings) -> Iterator[Engines]:
    """The engines to restore into. Raises AlreadyRunning if SERA runs on this home."""
    if settings.database_url:
        yield Engines(settings.database_owner, settings.objects)
        return
    with embedded_engines(settings) as engines:
        yield engines


@contextmanager
def embedded_engines(settings: Settings) -> Iterator[Engines]:
    urls = replace(Urls.from_settings(settings), broker=NO_BROKER)
    with Stack(settings.home, services=(), urls=urls) as stack:
        yield Engines(stack.database_url, stack.objects_url)


def backup_sentences(backup: CreatedBackup) -> list[str]:
    manifest = backup.manifest
    copied = backup.copy_result
    rows = sum(part.rows for part in manifest.tables.values())
    sentences = [
        f"The backup {backup.name} is whole: {rows} rows of {manifest.at:%Y-%m-%d %H:%M:%S} UTC, "
        f"{manifest.objects.count} objects, {copied.new_count} of them new "
        f"({copied.new_bytes / MIB:.1f} MiB)."
    ]
    if manifest.let_go:
        sentences.append(
            f"{manifest.let_go} objects were let go meanwhile by erasures; nothing is lost."
        )
    if manifest.missing:
        sentences.append(_missing_objects(manifest.missing))
    if SEAL_KEY_FILE in manifest.keys:
        sentences.append(
            "It is signed with the key that seals the audit trail: keep what `./sera audit key` "
            "prints where the backups are not, for `./sera restore --trusted KEY`."
        )
    else:
        sentences.append(
            "It is NOT signed, for the key that seals the audit trail is not on this machine: "
            "nothing will prove who made it, and a restore will need --untrusted."
        )
    return [*sentences, _keys_sentence(manifest)]


def _missing_objects(hashes: list[str]) -> str:
    examples = ", ".join(hashes[:3])
    ellipsis = " ..." if len(hashes) > 3 else ""
    return (
        f"{len(hashes)} objects that the ledger names are NOT in the store as they were, "
        f"and so not in the backup: {examples}{ellipsis}. Look into the store, and restore "
        "them from an earlier backup."
    )


def _keys_sentence(manifest: Manifest) -> str:
    if manifest.with_keys:
        return (
            f"It holds the keys {' and '.join(manifest.keys)}: whoever has it can seal a "
            "changed audit trail and read authenticators' secrets. Keep it encrypted."
        )
    sentence = (
        "The keys that seal the audit trail and that authenticators' secrets lie under are "
        "not in it."
    )
    absent_keys = [name for name in SETTING_BY_KEY_FILE if name not in manifest.keys]
    if absent_keys:
        sentence += (
            f" Nor are {' and '.join(absent_keys)} on this machine: keep a copy from where "
            "they are."
        )
    return (
        f"{sentence} Keep $SERA_HOME/keys apart from it, or make one with --with-keys."
    )


def verification_sentences(
    verification: VerificationResult, trusted_keys: Collection[str]
) -> list[str]:
    manifest = verification.manifest
    if verification.is_intact:
        sentences = [
            f"The backup {verification.name} is whole: {len(manifest.tables)} tables and "
            f"{manifest.objects.count} objects were read, and are as they were written."
        ]
    else:
        damaged = [*verification.damaged_files, *verification.damaged_objects]
        examples = ", ".join(damaged[:5])
        ellipsis = " ..." if len(damaged) > 5 else ""
        sentences = [
            f"The backup {verification.name} is NOT whole; damaged or gone: "
            f"{examples}{ellipsis}. Remove damaged objects from its folder and make a new "
            "backup, which copies them anew; take damaged files from a copy."
        ]
    sentences.append(_signature_sentence(verification.signer, trusted_keys))
    if manifest.missing:
        sentences.append(_missing_objects(manifest.missing))
    return sentences


def _signature_sentence(signer: str | None, trusted_keys: Collection[str]) -> str:
    if signer is None:
        return (
            "No key signed it. Its hashes prove that its parts fit together, and not who made it: "
            "whoever may write to the folder can make them anew."
        )
    if signer in trusted_keys:
        return (
            f"It is signed with {signer}, which you trust: the holder of this key made it, and it "
            "was not changed since. This does not prove that the ledger was true then: "
            "`./sera audit verify` does, after a restore."
        )
    return (
        f"It is signed with {signer}, which proves nothing until you compare it with what "
        "`./sera audit key` printed where it was made (--trusted KEY)."
    )


def restore_sentences(
    restored: RestoreResult, missing_keys: list[str], findings: Findings, trusted: bool
) -> list[str]:
    manifest = restored.manifest
    sentences = [
        f"Restored from {restored.name}: {restored.row_count} rows as they were on "
        f"{manifest.at:%Y-%m-%d %H:%M:%S} UTC, and {restored.object_count} objects, all read "
        "back."
    ]
    if restored.schema_revision != manifest.schema_revision:
        sentences.append(
            f"The schema was brought from {manifest.schema_revision} to "
            f"{restored.schema_revision}."
        )
    if restored.lost_objects:
        sentences.append(_missing_objects(restored.lost_objects))
    sentences += audit_sentences(findings, trusted)
    sentences.append(_withdrawals_sentence(restored))
    sentences += [f"{name} is not here: {LOSS_TEXTS[name]}." for name in missing_keys]
    sentences.append(
        "What happened after the backup is not in it: tell the hospitals from when, so "
        "that they send again. Everybody signs in anew; look through `./sera person list` "
        "for people who were disabled since."
    )
    return sentences


def _withdrawals_sentence(restored: RestoreResult) -> str:
    known_until = restored.withdrawals_known_at or "the backup"
    return (
        f"{restored.erased_count} cases that were erased after the backup are erased again, "
        f"{restored.revoked_count} keys revoked. That is all that is known up to {known_until}. "
        "What was erased later no backup knows: ask the hospitals, or restore with "
        "--erased and an export of the audit trail from after that."
    )


def backup_json(backup: CreatedBackup) -> dict[str, Any]:
    return {
        "name": backup.name,
        **_copied_json(backup.copy_result),
        "manifest": _manifest_json(backup.manifest),
    }


def verification_json(
    verification: VerificationResult, trusted_keys: Collection[str]
) -> dict[str, Any]:
    return {
        "signed_by": verification.signer,
        "trusted": verification.signer in trusted_keys,
        "name": verification.name,
        "files": verification.damaged_files,
        "objects": verification.damaged_objects,
        "manifest": _manifest_json(verification.manifest),
        "whole": verification.is_intact,
    }


def restore_json(restored: RestoreResult) -> dict[str, Any]:
    return {
        "name": restored.name,
        "rows": restored.row_count,
        "migrated_to": restored.schema_revision,
        "erased": restored.erased_count,
        "revoked": restored.revoked_count,
        "known_at": restored.withdrawals_known_at,
        "objects": restored.object_count,
        "lost": restored.lost_objects,
        **_copied_json(restored.copy_result),
        "manifest": _manifest_json(restored.manifest),
    }


def _copied_json(copied: CopyResult) -> dict[str, int]:
    return {"objects_new": copied.new_count, "objects_there": copied.existing_count}


def _manifest_json(manifest: Manifest) -> dict[str, Any]:
    return manifest.model_dump(mode="json", exclude={"tables"})
