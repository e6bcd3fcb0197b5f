"""`./sera load`: send cases as many hospitals would, and report latencies and broken objectives."""

import ipaddress
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.table import Table

from cli.commands import application
from cli.connection import ApiClient, address, local_key
from cli.output.terminal import Console, print_json
from deploy.local.errors import StackNotRunning
from deploy.local.state import StackState
from shared.domain.roles import Role
from shared.settings import Settings
from trials.load.errors import NotThisMachine

if TYPE_CHECKING:
    from trials.load import LoadPlan, LoadRun

app = application()
MAX_SENTENCES = 5
STYLES = {"kept": "green", "broken": "red", "not judged": "dim"}


Hospitals = Annotated[
    int,
    typer.Option(
        min=1, max=500, help="Hospitals that send, each with a key of its own."
    ),
]
Rate = Annotated[
    float,
    typer.Option(min=0.01, max=1000, help="Cases a second, all hospitals together."),
]
Minutes = Annotated[
    float, typer.Option(min=0.01, max=1440, help="For how long cases come.")
]
Seed = Annotated[
    int | None,
    typer.Option(help="Repeats the cases and their times; drawn if not given."),
]
Out = Annotated[
    Path, typer.Option(help="The page; the same figures as JSON lie beside it.")
]
Url = Annotated[
    str | None,
    typer.Option(help="Where SERA runs, if it is not this machine's own stack."),
]
Consent = Annotated[
    bool,
    typer.Option(
        "--yes-load-this-server", help="The server behind --url is yours to load."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the figures as JSON, for programs.")
]


@app.command()
def load(
    hospitals: Hospitals,
    rate: Rate,
    minutes: Minutes,
    seed: Seed = None,
    out: Out = Path("report.html"),
    url: Url = None,
    consent: Consent = False,
    as_json: AsJson = False,
) -> None:
    """Send cases to a stack that runs, as many hospitals would, and report how it fared.

    Cases come when they come (Poisson), whatever became of those before them; latencies count from
    then. The hospitals are named load-01 and so on, and they and their cases, drawn phantoms, stay
    in the ledger; the keys are revoked in the end. Ctrl-C ends the load early and reports what was
    measured. If a promise is broken, the exit code is 1.
    """
    from trials.load import LoadPlan
    from trials.load.report import check_writable, to_json, write

    settings = Settings()
    target_url = (url or address(settings)).rstrip("/")
    if not (on_this_machine(target_url) or (url and consent)):
        raise NotThisMachine(url=target_url)
    check_writable(out)
    if seed is None:
        seed = random.SystemRandom().randrange(2**31)
    plan = LoadPlan(hospitals=hospitals, rate=rate, minutes=minutes, seed=seed)
    run = run_load(settings, target_url, plan)
    write(run, out)
    if as_json:
        print_json(to_json(run))
    else:
        print_report(run, out)
    sys.exit(0 if run.passed else 1)


def run_load(settings: Settings, target_url: str, plan: "LoadPlan") -> "LoadRun":
    """Run the plan with an operator's key: SERA_KEY, or one of this machine's own stack."""
    from trials.load import LoadRunner

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    key = os.environ.get("SERA_KEY", "").strip() or local_key(settings, Role.OPERATOR)
    with ApiClient(target_url, key) as operator:
        runner = LoadRunner(
            load=plan,
            url=target_url,
            operator=operator,
            home=local_home(settings, target_url),
            print_line=console.print,
        )
        return runner.run()


def on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def local_home(settings: Settings, url: str) -> Path | None:
    """Return the home of this machine's stack if that stack serves `url`, because its processes are
    then visible. Otherwise return None.
    """
    try:
        return settings.home if StackState.load(settings.home).url == url else None
    except StackNotRunning:
        return None


def print_report(run: "LoadRun", out: Path) -> None:
    from trials.load.report import summary

    console = Console(highlight=False, soft_wrap=True)
    for sentence in summary(run):
        console.print(sentence, markup=False)
    console.print(slo_table(run))
    for rule in run.rules:
        for sentence in rule.broken[:MAX_SENTENCES]:
            console.print(f"{rule.name}: {sentence}", markup=False)
    console.print(f"The report: {out}", markup=False)


def slo_table(run: "LoadRun") -> Table:
    table = Table("promise", "verdict", box=None, pad_edge=False)
    for rule in run.rules:
        reason = f" ({rule.unjudged})" if rule.unjudged else ""
        table.add_row(rule.name, f"[{STYLES[rule.state]}]{rule.state}[/]{reason}")
    return table
