"""`./sera restore`: restore a backup of the ledger and its objects.

The target is a fresh home or an empty database.
"""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands import application
from cli.output import audit_findings
from cli.output.listing import AsJson, print_result
from cli.output.progress import PlainProgress
from cli.output.terminal import Console
from cli.work import backups, seals
from shared.backup import BackupFolder, Manifest, restore
from shared.backup.keys import KEYS_FOLDER, plan_keys, save_keys
from shared.backup.manifest import manifest_signer
from shared.backup.signatures import check_signer
from shared.backup.withdrawal_notes import read_export
from shared.objects import open_store
from shared.security.audit_signing import own_public_keys
from shared.security.last_seal import last_seal_places
from shared.settings import Settings

app = application()


Folder = Annotated[
    Path, typer.Argument(help="The folder of the backups.", show_default=False)
]
BackupName = Annotated[
    str | None, typer.Option("--backup", help="Which one; the newest if none is named.")
]
Erased = Annotated[
    list[Path] | None,
    typer.Option(
        help="An export of the audit trail, for what was erased; may be repeated."
    ),
]
Trusted = Annotated[
    list[str] | None,
    typer.Option(
        help="The public key that must have signed the backup, from `./sera audit key`; may "
        "be repeated. Without one: the key in SERA_HOME/keys."
    ),
]
Untrusted = Annotated[
    bool, typer.Option("--untrusted", help="Restore it whoever made it.")
]
WithoutKeys = Annotated[
    bool,
    typer.Option(
        "--without-keys", help="Go on without the keys that the ledger needs."
    ),
]


@app.command()
def restore_backup(
    folder: Folder,
    name: BackupName = None,
    erased: Erased = None,
    trusted: Trusted = None,
    untrusted: Untrusted = False,
    without_keys: WithoutKeys = False,
    as_json: AsJson = False,
) -> None:
    """Restore into SERA_HOME, or into the engines of SERA_DATABASE_URL and SERA_OBJECTS_URL.

    Those engines must be empty. Nothing is overwritten. Then the audit trail is proved and every
    object is read; exit code 1 if anything is wrong.
    """
    settings = Settings()
    place = BackupFolder(folder)
    source = place.backup_folder(name)
    manifest = Manifest.read(source)
    trusted_keys = None if untrusted else [*(trusted or own_public_keys(settings))]
    check_signer(source, manifest_signer(source), trusted_keys)
    withdrawn = [read_export(path) for path in erased or []]
    with (
        backups.empty_engines(settings) as engines,
        PlainProgress(Console(stderr=True)) as progress,
    ):
        keys, missing_keys = plan_keys(settings, manifest.keys, source, without_keys)
        objects = open_store(engines.objects_url)
        restored = restore(
            place,
            engines.database_url,
            objects,
            trusted_keys=trusted_keys,
            name=source.name,
            withdrawn=withdrawn,
            report_progress=progress,
        )
        save_keys(keys, settings.home / KEYS_FOLDER)
        seal_keys = trusted or own_public_keys(settings)
        findings = audit_findings.verify_database(
            engines.database_url, seal_keys, settings
        )
        # The seals go on from the backup: what was put down of later ones is of a lost ledger.
        lost_seals = seals.put_down_last(
            engines.database_url, last_seal_places(settings, objects)
        )
    is_whole = findings.is_intact and not restored.lost_objects
    facts = backups.restore_json(restored) | {
        "lacking_keys": missing_keys,
        "audit": audit_findings.to_json(findings),
        "whole": is_whole,
    }
    sentences = backups.restore_sentences(
        restored, missing_keys, findings=findings, trusted=bool(seal_keys)
    )
    sentences += [seals.LOST_SEAL_TEXT.format(line=line) for line in lost_seals]
    print_result(as_json, facts, sentences)
    if not is_whole:
        raise typer.Exit(1)
