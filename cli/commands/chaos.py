"""`./sera chaos`: inject faults into a test stack and check that no case is lost or mixed up."""

import random
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.commands import application
from cli.output.terminal import Console, print_json
from shared.errors import SeraError

if TYPE_CHECKING:
    from trials.chaos import Report

app = application()

MAX_SENTENCES = 10
CASES_PER_MINUTE = 100


class FaultUnknown(SeraError):
    code = "fault-unknown"
    text = "There is no fault {kinds}. Those there are: {known}."


@app.command()
def chaos(
    cases: Annotated[
        int, typer.Option(min=1, max=1500, help="Cases that three hospitals send.")
    ] = 100,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Over how long; every kind of fault comes once, however short it is.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Repeats the order of cases and faults; drawn if not given."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this kind of fault; may be repeated. An unknown one is told all."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, for programs.")
    ] = False,
) -> None:
    """Send cases to a stack of its own while workers, broker, database, gateway, disk and clock
    fail or fall silent, and results are rewritten in the database.

    Then check that no case was lost, answered twice, or left waiting, that every answer belongs to
    its case and stayed as it was, and that the audit trail is whole and tells the same story. If
    anything is not so, the exit code is 1 and the data are kept.
    """
    from trials.chaos import FAULTS, Trial, TrialPlan

    console = Console(stderr=True, highlight=False)
    kinds = tuple(fault or sorted(FAULTS))
    if unknown := set(kinds) - set(FAULTS):
        raise FaultUnknown(
            kinds=", ".join(sorted(unknown)), known=", ".join(sorted(FAULTS))
        )
    home = Path(tempfile.mkdtemp(prefix="sera-chaos-"))
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    plan = TrialPlan(
        cases=cases,
        minutes=minutes or cases / CASES_PER_MINUTE,
        seed=seed,
        kinds=kinds,
    )
    trial = Trial(home / "home", find_free_port(), plan, console.print)
    report = trial.run()
    if as_json:
        print_json(report.to_json())
    else:
        print_report(report)
    if not report.passed:
        console.print(f"The stack's data and logs are kept in {home}", soft_wrap=True)
        sys.exit(1)
    shutil.rmtree(home, ignore_errors=True)


def print_report(report: "Report") -> None:
    console = Console(highlight=False)
    facts = report.to_json()
    faults = Table("fault", "injected", box=None, pad_edge=False)
    for kind, count in sorted(report.faults.items()):
        faults.add_row(kind, str(count))
    console.print(faults)
    console.print(
        f"\n{report.cases} cases in {report.seconds:g} s: {report.done} done, "
        f"{report.failed} failed, {report.refused} refused; requests sent again "
        f"{report.resent} times (seed {report.seed})"
    )
    for name in ("lost", "double", "stuck", "changed", "wrong", "internal"):
        console.print(f"{name:9} {facts[name]}")
    console.print(f"audit     {'intact' if report.verdict.audit_ok else 'NOT intact'}")
    for kind, sentences in report.broken.items():
        for sentence in sentences[:MAX_SENTENCES]:
            console.print(f"{kind}: {sentence}", soft_wrap=True, markup=False)


def find_free_port() -> int:
    """A free port, below those that the kernel assigns by itself."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.socket() as server:
            server.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port between 20000 and 32000")
