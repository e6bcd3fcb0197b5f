"""Sends mutated uploads to a real gateway and worker, and tests every API operation against its
OpenAPI document.

    PYTHONPATH=. .venv/bin/python -m trials.fuzz uploads \
        [--uploads 10000] [--seed 1] [--only NUMBER] [--json]
    PYTHONPATH=. .venv/bin/python -m trials.fuzz api [--examples 50] [--seed 1] [--json]

The program starts a stack of its own. The exit code is 1 if an answer was a 5xx, missing or not as
documented, if a process died, if a job did not end or failed by a fault of SERA itself, or if
memory grew beyond the bounds. `api` writes a line to standard error as each operation ends. The
folder --keep gets the uploads that caused a fault. `--only` with their seed and number makes them
again.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from shared.domain.roles import Role
from trials.fuzz.api import Findings, fuzz_api
from trials.fuzz.campaign import send_all
from trials.fuzz.memory import MemoryMonitor
from trials.fuzz.report import api_report, format_report, upload_report
from trials.fuzz.tally import Tally
from trials.fuzz.target_stack import WATCHED, TargetStack
from trials.fuzz.upload import upload


def main() -> int:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory() as home,
        TargetStack(Path(home), arguments.port) as target,
    ):
        if arguments.part == "uploads":
            report = _uploads(target, arguments)
        else:
            report = _api(target, arguments)
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        print(format_report(report))
    return 1 if report["faults"] else 0


def _api(target: TargetStack, arguments: argparse.Namespace) -> dict[str, Any]:
    findings: dict[str, Findings] = {}
    url = target.stack.url or ""
    start_s = time.monotonic()
    with MemoryMonitor(target.pids, WATCHED) as monitor:
        for role in Role:
            findings[role] = fuzz_api(
                url,
                target.key(role),
                arguments.seed,
                arguments.examples,
                on_progress=partial(_print_progress, role),
            )
    return api_report(
        arguments.seed,
        time.monotonic() - start_s,
        findings,
        monitor.usage,
        target.deaths,
    )


def _print_progress(role: Role, line: str) -> None:
    print(f"{role}: {line}", file=sys.stderr, flush=True)


def _uploads(target: TargetStack, arguments: argparse.Namespace) -> dict[str, Any]:
    tally = Tally(arguments.keep)
    start_s = time.monotonic()
    numbers: Iterable[int] = range(arguments.uploads)
    if arguments.only is not None:
        numbers = [arguments.only]
    uploads = (upload(arguments.seed, number) for number in numbers)
    with MemoryMonitor(target.pids, WATCHED) as monitor, target.client() as client:
        send_all(
            client=client,
            uploads=uploads,
            tally=tally,
            parallel_uploads=arguments.clients,
        )
        target.collect(arguments.seed, tally)
    return upload_report(
        arguments.seed,
        time.monotonic() - start_s,
        tally,
        monitor.usage,
        target.deaths,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "part", choices=("uploads", "api"), nargs="?", default="uploads"
    )
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--only", type=int, help="the one upload of this number")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument(
        "--examples", type=int, default=50, help="of each operation and role"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(".sera/fuzz"))
    parser.add_argument("--port", type=int, default=18960)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
