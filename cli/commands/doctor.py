"""`sera doctor`: is this machine ready for SERA, and if not, what to do."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import httpx2
import typer
from rich.markup import escape
from rich.table import Table

from cli.commands import application
from cli.output.check import Finding, Verdict, fail, note, ok
from cli.output.terminal import Console, print_json
from cli.work.diagnosis import checks
from deploy.local import StackState
from deploy.local.errors import StackNotRunning
from deploy.local.home import Home
from deploy.local.identity import become, server_uid, user_name
from deploy.local.postgres import binaries
from deploy.local.process import setpriv
from deploy.local.stack import check_port
from deploy.local.valkey import binary
from shared.errors import SeraError
from shared.observability.disk_space import free_mib, nearest_existing
from shared.recipes import RecipeDirectory
from shared.sandbox.confinement import missing_mechanisms
from shared.security.production_checks import warnings
from shared.settings import Settings

app = application()

RECOMMENDED_DISK_MIB = 5 * 1024
REQUEST_TIMEOUT_S = 2.0
SHOWN_PACKAGES = (
    "torch",
    "torchvision",
    "scikit-learn",
    "fastapi",
    "celery",
    "sqlalchemy",
)


def python_version(_: Settings) -> Finding:
    detail = f"{platform.python_version()} at {sys.executable}"
    return ok(detail) if sys.version_info >= (3, 11) else fail(detail)


def packages(_: Settings) -> Finding:
    try:
        versions = [f"{name} {version(name)}" for name in SHOWN_PACKAGES]
    except PackageNotFoundError as error:
        return fail(f"{error.name} is not installed. Start SERA with ./sera")
    return ok(", ".join(versions))


def home_folder(settings: Settings) -> Finding:
    """Check that new files can be created in the home, or in the nearest existing folder above
    it.
    """
    folder = nearest_existing(settings.home)
    if os.access(folder, os.W_OK | os.X_OK):
        return ok(str(settings.home))
    return fail(f"{folder} is not writable. Set SERA_HOME to a folder of yours")


def disk_space(settings: Settings) -> Finding:
    available_mib = free_mib(settings.home)
    available = f"{available_mib / 1024:.1f} GiB free"
    if available_mib >= max(RECOMMENDED_DISK_MIB, settings.least_free_mib):
        return ok(available)
    verdict = Verdict.FAIL
    if available_mib >= settings.least_free_mib:
        verdict = Verdict.NOTE
    return Finding(
        verdict, f"{available}. Free some space, or set SERA_HOME to another disk"
    )


def process_tool(_: Settings) -> Finding:
    return ok(setpriv())


def database_engine(settings: Settings) -> Finding:
    if settings.database_url:
        return ok("yours, by SERA_DATABASE_URL")
    version_line = first_output_line(str(binaries() / "postgres"), "--version")
    if os.geteuid() != 0:
        return ok(version_line)
    uid = server_uid(Home(settings.home).database)
    become(uid, binaries() / "initdb", (nearest_existing(settings.home),))
    return ok(f"{version_line}, run as the user {user_name(uid)}")


def broker_engine(settings: Settings) -> Finding:
    if settings.broker_url:
        return ok("yours, by SERA_BROKER_URL")
    return ok(first_output_line(str(binary()), "--version"))


def sandbox(_: Settings) -> Finding:
    """Check that the kernel can confine the processes that read images and models."""
    missing = missing_mechanisms()
    if not missing:
        return ok("images and models are read in processes without files or network")
    return note(
        f"this kernel has no {' and no '.join(missing)}: a hostile file that takes over its "
        "process is confined by limits only. Run SERA on Linux 5.13 or later, on x86-64 or ARM64"
    )


def weights(settings: Settings) -> Finding:
    folder = settings.weights_dir
    if folder is None:
        return note(
            "SERA_WEIGHTS_DIR is not set: offline, only recipes without pre-trained weights "
            "run"
        )
    if not folder.is_dir():
        return fail(
            f"{folder} is no folder. Set SERA_WEIGHTS_DIR to where the NETWORK.pth files lie"
        )
    names = sorted(path.stem for path in folder.glob("*.pth"))
    if not names:
        return note(f"{folder}: no NETWORK.pth there")
    return ok(f"{folder}: {', '.join(names)}")


def own_recipes(settings: Settings) -> Finding:
    folder = settings.recipes_dir
    if folder is None:
        return ok("those that ship; SERA_RECIPES_DIR may name a folder of your own")
    if not folder.is_dir():
        return fail(
            f"{folder} is no folder. Set SERA_RECIPES_DIR to where your NAME.toml files lie"
        )
    directory = RecipeDirectory(folder)
    if refused_files := directory.refused_files():
        return fail(" ".join(str(refused.error) for refused in refused_files))
    names = ", ".join(recipe.name for recipe in directory.custom_recipes())
    return ok(f"{folder}: {names or 'no NAME.toml there'}")


def port(settings: Settings) -> Finding:
    try:
        running = StackState.load(settings.home)
    except StackNotRunning:
        if gateway_responds(settings.port):
            return ok(f"SERA answers at {settings.port} already")
        check_port(settings.host, settings.port)
        return ok(f"{settings.port} of {settings.host} is free")
    return ok(
        f"SERA runs on this home already: {running.url}, process {running.supervisor.pid}"
    )


def gateway_responds(port: int) -> bool:
    """Return whether a gateway listens on the port, for example in a container."""
    try:
        response = httpx2.get(
            f"http://127.0.0.1:{port}/healthz", timeout=REQUEST_TIMEOUT_S
        )
        return bool(response.json() == {"status": "alive"})
    except (httpx2.TransportError, ValueError):
        return False


def safety(settings: Settings) -> Finding:
    """Report unsafe settings. SERA does not start with one in production."""
    sentences = warnings(settings)
    if not sentences:
        return ok("no unsafe setting")
    verdict = Verdict.FAIL if settings.production else Verdict.NOTE
    return Finding(verdict, ". ".join(sentences))


CHECKS: dict[str, Callable[[Settings], Finding]] = {
    "python": python_version,
    "packages": packages,
    "home": home_folder,
    "disk": disk_space,
    "setpriv": process_tool,
    "postgres": database_engine,
    "valkey": broker_engine,
    "sandbox": sandbox,
    "weights": weights,
    "recipes": own_recipes,
    "port": port,
    "safety": safety,
}


@app.command()
def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for programs.")
    ] = False,
) -> None:
    """Check this machine and, where SERA serves, its engines, queue, backups and certificate; each
    with the next step.

    Exits with 1 if something keeps SERA from running or from answering.
    """
    settings = Settings()
    all_checks = CHECKS | checks(settings)
    findings = {name: run_check(check, settings) for name, check in all_checks.items()}
    if as_json:
        rows = [
            {"check": name, "verdict": finding.verdict, "detail": finding.detail}
            for name, finding in findings.items()
        ]
        print_json(rows)
    else:
        Console(highlight=False).print(table(findings))
    failed = any(finding.verdict is Verdict.FAIL for finding in findings.values())
    raise typer.Exit(1 if failed else 0)


def run_check(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    """Run a check and return its finding. An error with a next step is converted to a finding."""
    try:
        return check(settings)
    except (SeraError, OSError, subprocess.SubprocessError) as error:
        return fail(str(error))


def table(findings: dict[str, Finding]) -> Table:
    colours = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.FAIL: "bold red"}
    table = Table("check", "", "finding", box=None, pad_edge=False)
    for name, finding in findings.items():
        colour = colours[finding.verdict]
        table.add_row(name, f"[{colour}]{finding.verdict}[/]", escape(finding.detail))
    return table


def first_output_line(*command: str) -> str:
    process = subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=True
    )
    return process.stdout.splitlines()[0]
