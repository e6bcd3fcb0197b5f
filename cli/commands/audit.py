"""`./sera audit`: verify the audit trail, export it, show the public key of its seals."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.commands import application
from cli.connection import open_ledger
from cli.output import audit_findings
from shared.domain.audit.chain import Seal
from shared.domain.audit.events import Event
from shared.domain.audit.export import AuditExport
from shared.errors import SeraError
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.audit.repository import AuditEntry
from shared.security.audit_signing import own_public_keys, seal_key
from shared.settings import Settings

app = application()


class ExportUnwritable(SeraError):
    code = "export-unwritable"
    text = "{path} cannot be written ({why}). Name a file in a folder that you may write to."


@app.callback()
def audit() -> None:
    """The audit trail: who did what, when, from where."""


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Option(help="An exported file; no database is needed.")
    ] = None,
    public_key: Annotated[
        list[str] | None,
        typer.Option(
            help="The key the seals must be of, from `./sera audit key`; may be repeated."
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="An earlier export, whose seals must hold too; may be repeated."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found as JSON.")
    ] = False,
) -> None:
    """Prove that no event was changed, removed or moved; exit code 1 and a sentence for each that
    was.
    """
    settings = Settings()
    trusted = public_key or []
    witnesses: list[Seal] = []
    for earlier_export in against or []:
        witnesses += AuditExport(earlier_export).seals()
    if file:
        findings = audit_findings.verify_file(file, trusted, witnesses)
    else:
        findings = audit_findings.verify_ledger(settings, trusted, witnesses)
        trusted = trusted or own_public_keys(settings)
    if as_json:
        print(json.dumps(audit_findings.to_json(findings), indent=2))
    else:
        for sentence in audit_findings.sentences(findings, bool(trusted)):
            Console().print(sentence, soft_wrap=True, highlight=False, markup=False)
    if not findings.is_intact:
        raise typer.Exit(1)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write, JSON lines.")],
    hospital: Annotated[
        str | None, typer.Option(help="Only this hospital's events.")
    ] = None,
) -> None:
    """Write events and seals to a file that `./sera audit verify --file` proves anywhere."""
    with open_ledger(Settings()) as ledger:
        with ledger.system_session("cli") as session:
            owner = session.hospitals.find(hospital).id if hospital else None
            session.audit.record_all([AuditEntry(Event.AUDIT_EXPORTED, owner)])
        _write(out, AuditTrailReader(ledger, "cli", owner))
    Console().print(f"Written to {out}.", soft_wrap=True, highlight=False, markup=False)


@app.command()
def key() -> None:
    """Print the public key of the seals, to be kept where SERA does not run."""
    print(seal_key(Settings()).public)


def _write(path: Path, trail: AuditTrailReader) -> None:
    """Write the file atomically: it appears complete or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.writelines(trail.export_lines())
        draft.replace(path)
    except OSError as error:
        raise ExportUnwritable(path=path, why=error.strerror) from error
    finally:
        draft.unlink(missing_ok=True)
