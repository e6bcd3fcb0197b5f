"""`sera doctor`: is this machine ready for SERA, and if not, what to do."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.commands import application
from deploy.local import StackState
from deploy.local.errors import StackNotRunning
from deploy.local.home import Home
from deploy.local.identity import NOBODY, become, server_uid
from deploy.local.postgres import binaries
from deploy.local.process import setpriv
from deploy.local.stack import check_port
from deploy.local.valkey import binary
from shared.errors import SeraError
from shared.settings import Settings

app = application()

GIB = 1024**3
DISK_NEEDED_GIB = 1.0
DISK_WANTED_GIB = 5.0
SHOWN_PACKAGES = ("torch", "torchvision", "scikit-learn", "fastapi", "celery", "sqlalchemy")


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    verdict: Verdict
    detail: str


def python_version(_: Settings) -> Finding:
    good = sys.version_info >= (3, 11)
    return Finding("python", Verdict.OK if good else Verdict.FAIL, f"{platform.python_version()} at {sys.executable}")


def packages(_: Settings) -> Finding:
    try:
        found = ", ".join(f"{name} {version(name)}" for name in SHOWN_PACKAGES)
    except PackageNotFoundError as missing:
        return Finding("packages", Verdict.FAIL, f"{missing.name} is not installed. Start SERA with ./sera")
    return Finding("packages", Verdict.OK, found)


def home_folder(settings: Settings) -> Finding:
    """The home, or the nearest folder above it that exists, must take new files."""
    place = _existing(settings.home)
    if os.access(place, os.W_OK | os.X_OK):
        return Finding("home", Verdict.OK, str(settings.home))
    return Finding("home", Verdict.FAIL, f"{place} is not writable. Set SERA_HOME to a folder of yours")


def disk_space(settings: Settings) -> Finding:
    free_gib = shutil.disk_usage(_existing(settings.home)).free / GIB
    verdict = Verdict.FAIL if free_gib < DISK_NEEDED_GIB else Verdict.NOTE if free_gib < DISK_WANTED_GIB else Verdict.OK
    advice = "" if verdict is Verdict.OK else ". Free some space, or set SERA_HOME to another disk"
    return Finding("disk", verdict, f"{free_gib:.1f} GiB free{advice}")


def database_engine(settings: Settings) -> Finding:
    if settings.database_url:
        return Finding("postgres", Verdict.OK, "yours, by SERA_DATABASE_URL")
    said = _first_line(str(binaries() / "postgres"), "--version")
    if os.geteuid() == 0:
        place = _existing(settings.home)
        become(server_uid(Home(settings.home).database), binaries() / "initdb", (place,))
        said += f", as the user {NOBODY}"
    return Finding("postgres", Verdict.OK, said)


def broker_engine(settings: Settings) -> Finding:
    if settings.broker_url:
        return Finding("valkey", Verdict.OK, "yours, by SERA_BROKER_URL")
    return Finding("valkey", Verdict.OK, _first_line(str(binary()), "--version"))


def process_tools(_: Settings) -> Finding:
    return Finding("setpriv", Verdict.OK, setpriv())


def weights(settings: Settings) -> Finding:
    folder = settings.weights_dir
    if folder is None:
        return Finding(
            "weights", Verdict.NOTE, "SERA_WEIGHTS_DIR is not set: only recipes without pre-trained weights run offline"
        )
    if not folder.is_dir():
        return Finding(
            "weights", Verdict.FAIL, f"{folder} is no folder. Set SERA_WEIGHTS_DIR to where the NETWORK.pth files lie"
        )
    names = sorted(path.stem for path in folder.glob("*.pth"))
    return Finding(
        "weights", Verdict.OK if names else Verdict.NOTE, f"{folder}: {', '.join(names) or 'no NETWORK.pth there'}"
    )


def port(settings: Settings) -> Finding:
    try:
        running = StackState.load(settings.home)
    except StackNotRunning:
        check_port(settings.host, settings.port)
        return Finding("port", Verdict.OK, f"{settings.port} of {settings.host} is free")
    return Finding(
        "port", Verdict.OK, f"SERA runs on this home already: {running.url}, process {running.supervisor.pid}"
    )


CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    python_version,
    packages,
    home_folder,
    disk_space,
    process_tools,
    database_engine,
    broker_engine,
    weights,
    port,
)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """Check this machine. Exits with 1 if something would keep SERA from running."""
    settings = Settings()
    findings = [examine(check, settings) for check in CHECKS]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        Console(highlight=False).print(table(findings))
    raise typer.Exit(1 if any(finding.verdict is Verdict.FAIL for finding in findings) else 0)


def examine(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    """A check's finding; an error that says the next step is one too."""
    try:
        return check(settings)
    except SeraError as error:
        return Finding(check.__name__.replace("_", " "), Verdict.FAIL, str(error))


def table(findings: list[Finding]) -> Table:
    colours = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.FAIL: "bold red"}
    shown = Table("check", "", "finding", box=None, pad_edge=False)
    for finding in findings:
        shown.add_row(finding.check, f"[{colours[finding.verdict]}]{finding.verdict}[/]", finding.detail)
    return shown


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]
