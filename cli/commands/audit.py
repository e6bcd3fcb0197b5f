"""`./sera audit`: verify the audit trail, export it, show its key and its last seal."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cli.commands import application
from cli.connection import objects_url, open_ledger
from cli.output import audit_findings
from cli.output.terminal import Console, print_json, print_line
from cli.work import seals
from shared.domain.audit.events import Event
from shared.errors import SeraError
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.audit.repository import AuditEntry
from shared.objects import open_store
from shared.security.audit_signing import own_public_keys, seal_key
from shared.security.last_seal import last_seal_places
from shared.settings import Settings

app = application()


class ExportUnwritable(SeraError):
    code = "export-unwritable"
    text = "{path} cannot be written ({why}). Name a file in a folder that you may write to."


class NothingSealed(SeraError):
    code = "nothing-sealed"
    text = "Nothing is sealed yet. A worker seals the audit trail every {seconds:g} s: try again then."


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
    witness: Annotated[
        list[str] | None,
        typer.Option(
            help="A line that `./sera audit witness` printed earlier; may be repeated."
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
    outside = audit_findings.outside_seals(against or [], witness or [])
    if file:
        findings = audit_findings.verify_file(file, trusted, outside, settings)
    else:
        findings = audit_findings.verify_ledger(settings, trusted, outside)
        trusted = trusted or own_public_keys(settings)
    if as_json:
        print_json(audit_findings.to_json(findings))
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
    print_line(seal_key(Settings()).public)


@app.command()
def witness() -> None:
    """Print one line that stands for every event sealed so far: put it down elsewhere (mail, paper,
    another machine), for `./sera audit verify --witness`.
    """
    with (
        open_ledger(Settings()) as ledger,
        ledger.system_session("cli") as session,
    ):
        last = session.seals.last_of_series()
    if last is None:
        raise NothingSealed(seconds=Settings().audit_seal_every_s)
    print_line(str(last.witness))


@app.command()
def resume() -> None:
    """Let sealing go on from the last seal of the database, after it was set back on purpose. The
    audit trail records this.
    """
    settings = Settings()
    places = last_seal_places(settings, open_store(objects_url(settings)))
    with open_ledger(settings) as ledger:
        lines = seals.resume(ledger, places)
    for line in lines:
        text = seals.LOST_SEAL_TEXT.format(line=line)
        Console().print(text, soft_wrap=True, highlight=False, markup=False)
    Console().print("Sealing goes on.", highlight=False)


def _write(path: Path, trail: AuditTrailReader) -> None:
    """Write the file atomically: it appears complete or not at all, readable by this user only.

    The draft is a new file of a name that nobody knows, so no link that lies there is followed.
    """
    with ExitStack() as cleanup:
        try:
            handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            cleanup.callback(Path(draft).unlink, missing_ok=True)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines(trail.export_lines())
            os.replace(draft, path)
        except OSError as error:
            raise ExportUnwritable(path=path, why=error.strerror) from error
