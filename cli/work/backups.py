"""What `./sera backup` and `./sera restore` work on, and what they say."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from cli.output.audit_findings import sentences as audit_sentences
from deploy.local import Stack, Urls
from deploy.local.errors import StackNotRunning
from deploy.local.home import Home
from deploy.local.state import StackState
from shared.backup import Checked, Restored, Taken
from shared.backup.keys import COSTS, NAMES
from shared.domain.audit.verification import Findings
from shared.errors import SeraError
from shared.settings import Settings

MIB = 1024**2
NO_BROKER = "none"
"""A broker's address: nothing that is done here rings."""


class NothingToBackUp(SeraError):
    code = "nothing-to-back-up"
    text = (
        "There is no ledger in {home}. Set SERA_HOME to where SERA keeps its data, or "
        "SERA_DATABASE_URL to the address "
        "of its database."
    )


@dataclass(frozen=True)
class Engines:
    """Where the ledger is reached as its owner, and where the objects are."""

    database_url: str
    objects_url: str


@contextmanager
def serving_engines(settings: Settings) -> Iterator[Engines]:
    """The engines of the stack that runs, of the user's own by URL, or the embedded ones just for
    this.
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


def backup_sentences(taken: Taken) -> list[str]:
    manifest = taken.manifest
    copied = taken.copied
    rows = sum(part.rows for part in manifest.tables.values())
    said = [
        f"The backup {taken.name} is whole: {rows} rows of {manifest.at:%Y-%m-%d %H:%M:%S} UTC, "
        f"{manifest.objects.count} objects, {copied.new} of them new "
        f"({copied.new_bytes / MIB:.1f} MiB)."
    ]
    if manifest.let_go:
        said.append(
            f"{manifest.let_go} objects were let go meanwhile by erasures; nothing is lost."
        )
    if manifest.missing:
        said.append(_missing(manifest.missing))
    return [*said, *_of_keys(taken)]


def _missing(hashes: list[str]) -> str:
    return (
        f"{len(hashes)} objects that the ledger names are NOT in the store as they were, "
        "and so not in the backup: "
        f"{', '.join(hashes[:3])}{' ...' if len(hashes) > 3 else ''}. Look into the store, "
        "and restore them from an "
        "earlier backup."
    )


def _of_keys(taken: Taken) -> list[str]:
    manifest = taken.manifest
    if manifest.with_keys:
        return [
            f"It holds the keys {' and '.join(manifest.keys)}: whoever has it can seal a "
            "changed audit trail and read "
            "authenticators' secrets. Keep it encrypted."
        ]
    elsewhere = [name for name in NAMES if name not in manifest.keys]
    told = (
        "The keys that seal the audit trail and that authenticators' secrets lie under are "
        "not in it."
    )
    if elsewhere:
        told += (
            f" Nor are {' and '.join(elsewhere)} on this machine: keep a copy from where "
            "they are."
        )
    return [f"{told} Keep $SERA_HOME/keys apart from it, or make one with --with-keys."]


def verification_sentences(checked: Checked) -> list[str]:
    manifest = checked.manifest
    if checked.whole:
        said = [
            f"The backup {checked.name} is whole: {len(manifest.tables)} tables and "
            f"{manifest.objects.count} objects "
            "were read, and are as they were written."
        ]
    else:
        damaged = [*checked.files, *checked.objects]
        said = [
            f"The backup {checked.name} is NOT whole; damaged or gone: {', '.join(damaged[:5])}"
            f"{' ...' if len(damaged) > 5 else ''}. Remove damaged objects from its folder and "
            "make a new backup, "
            "which copies them anew; take damaged files from a copy."
        ]
    return said + ([_missing(manifest.missing)] if manifest.missing else [])


def restore_sentences(
    restored: Restored, lacking: list[str], findings: Findings, trusted: bool
) -> list[str]:
    manifest = restored.manifest
    said = [
        f"Restored from {restored.name}: {restored.rows} rows as they were on "
        f"{manifest.at:%Y-%m-%d %H:%M:%S} UTC, and "
        f"{restored.objects} objects, all read back."
    ]
    if restored.migrated_to != manifest.schema_revision:
        said.append(
            f"The schema was brought from {manifest.schema_revision} to {restored.migrated_to}."
        )
    if restored.lost:
        said.append(_missing(restored.lost))
    said += [*audit_sentences(findings, trusted), *_of_withdrawn(restored)]
    said += [f"{name} is not here: {COSTS[name]}." for name in lacking]
    said.append(
        "What happened after the backup is not in it: tell the hospitals from when, so "
        "that they send again. Everybody "
        "signs in anew; look through `./sera person list` for people who were disabled since."
    )
    return said


def _of_withdrawn(restored: Restored) -> list[str]:
    until = restored.known_at or "the backup"
    return [
        f"{restored.erased} cases that were erased after the backup are erased again, "
        f"{restored.revoked} keys revoked. "
        f"That is all that is known up to {until}. What was erased later no backup knows: "
        "ask the hospitals, or "
        "restore with --erased and an export of the audit trail from after that."
    ]


def to_json(facts: Any) -> dict[str, Any]:
    """A dataclass with a manifest in it, as JSON has it."""
    told = {
        name: value
        for name, value in vars(facts).items()
        if name not in ("manifest", "copied", "folder")
    }
    copied = vars(facts.copied) if hasattr(facts, "copied") else {}
    manifest = facts.manifest.model_dump(mode="json", exclude={"tables"})
    return {
        **told,
        **{f"objects_{name}": copied[name] for name in ("new", "there") if copied},
        "manifest": manifest,
    }
