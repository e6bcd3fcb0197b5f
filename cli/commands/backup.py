"""`./sera backup`: the ledger and its objects into a folder, while SERA serves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from cli.commands import application
from cli.output.listing import AsJson, print_result
from cli.output.progress import PlainProgress
from cli.output.terminal import Console
from cli.work import backups
from shared.backup import (
    BackupFolder,
    Source,
    create_backup,
    prune,
    update_note,
    verify_backup,
)
from shared.backup.keys import available_keys
from shared.objects import open_store
from shared.security.audit_signing import own_public_keys
from shared.settings import Settings

if TYPE_CHECKING:
    # Typer keeps this class private, so only type checkers import it.
    from typer._click.core import Context

MAKE = "make"
Folder = Annotated[
    Path, typer.Argument(help="The folder of the backups.", show_default=False)
]


class MakesByDefault(TyperGroup):
    """`./sera backup FOLDER` makes one; a first word that is a command's name is that command."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [MAKE, *args]
        return super().parse_args(ctx, args)


app = application()


@app.callback(cls=MakesByDefault, subcommand_metavar="FOLDER | COMMAND [ARGS]...")
def backup() -> None:
    """Back up the ledger, its objects and its models into a folder: `./sera backup FOLDER`.

    SERA goes on serving. Objects that an earlier backup in the folder has are not copied again.
    """


@app.command(MAKE)
def make(
    folder: Folder,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Also the keys in SERA_HOME/keys.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a backup; exit code 1 if an object was missing."""
    settings = Settings()
    with (
        backups.serving_engines(settings) as engines,
        PlainProgress(Console(stderr=True)) as progress,
    ):
        source = Source(
            engines.database_url,
            open_store(engines.objects_url),
            available_keys(settings),
        )
        backup = create_backup(
            BackupFolder(folder), source, with_keys=with_keys, report_progress=progress
        )
    print_result(as_json, backups.backup_json(backup), backups.backup_sentences(backup))
    if backup.manifest.missing:
        raise typer.Exit(1)


@app.command()
def verify(
    folder: Folder,
    name: Annotated[
        str | None,
        typer.Option("--backup", help="Which one; the newest if none is named."),
    ] = None,
    trusted: Annotated[
        list[str] | None,
        typer.Option(
            help="The public key that must have signed it, from `./sera audit key`; may be "
            "repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read all of a backup and compare it with what it was; exit code 1 if anything is damaged, or
    if none of the trusted keys signed it. Restores nothing.
    """
    trusted_keys = trusted or own_public_keys(Settings())
    with PlainProgress(Console(stderr=True)) as progress:
        verification = verify_backup(BackupFolder(folder), name, progress)
    print_result(
        as_json,
        backups.verification_json(verification, trusted_keys),
        backups.verification_sentences(verification, trusted_keys),
    )
    is_untrusted = bool(trusted) and verification.signer not in trusted_keys
    if is_untrusted or not verification.is_intact:
        raise typer.Exit(1)


@app.command("list")
def list_backups(folder: Folder, as_json: AsJson = False) -> None:
    """The whole backups of the folder, the oldest first."""
    names = BackupFolder(folder).backup_names()
    print_result(as_json, names, names or ["There is none."])


@app.command("note")
def note_withdrawn(folder: Folder, as_json: AsJson = False) -> None:
    """Note beside the backups what was erased and revoked so far; quick, and to be done often."""
    settings = Settings()
    with backups.serving_engines(settings) as engines:
        withdrawals = update_note(
            BackupFolder(folder), engines.database_url, available_keys(settings)
        )
    count_cases = len(withdrawals.cases)
    count_keys = len(withdrawals.keys)
    facts = {
        "known_at": withdrawals.known_at,
        "cases": count_cases,
        "keys": count_keys,
    }
    sentence = (
        f"Known by {withdrawals.known_at}: {count_cases} erased cases, {count_keys} "
        "revoked keys."
    )
    print_result(as_json, facts, [sentence])


@app.command("prune")
def prune_old(
    folder: Folder,
    keep: Annotated[
        int, typer.Option(min=1, help="How many of the newest backups stay.")
    ],
    as_json: AsJson = False,
) -> None:
    """Remove older backups and the objects that only they hold."""
    removed_backups, count_objects = prune(BackupFolder(folder), keep)
    sentence = (
        f"{len(removed_backups)} backups went, and {count_objects} objects that no other "
        "one names."
    )
    facts = {"backups": removed_backups, "objects": count_objects}
    print_result(as_json, facts, [sentence])
