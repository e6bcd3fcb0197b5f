"""Spoilt uploads against a real gateway and worker; and every operation of the API against its own
document.

    PYTHONPATH=. .venv/bin/python -m trials.fuzz uploads [--uploads 10000] [--seed 1] [--only NUMBER] [--json]
    PYTHONPATH=. .venv/bin/python -m trials.fuzz api [--examples 50] [--seed 1] [--json]

On a stack of its own. Ends with 1 if anything was answered 5xx, not at all or not as documented, a process died, a job
did not end or ended for a fault of SERA's own, or memory grew beyond bounds. Uploads that met a fault are kept in
--keep; seed and number make them again (`--only`).
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from shared.domain.roles import Role
from trials.fuzz.api import fuzz_api
from trials.fuzz.campaign import send_all
from trials.fuzz.memory import Watch
from trials.fuzz.report import of_api, of_uploads, shown
from trials.fuzz.tally import Tally
from trials.fuzz.target_stack import WATCHED, House
from trials.fuzz.upload import upload


def main() -> int:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory() as home,
        House(Path(home), arguments.port) as house,
    ):
        told = (
            _uploads(house, arguments)
            if arguments.part == "uploads"
            else _api(house, arguments)
        )
    print(json.dumps(told, indent=2) if arguments.json else shown(told))
    return 1 if told["faults"] else 0


def _api(house: House, arguments: argparse.Namespace) -> dict[str, Any]:
    found = {}
    url = house.stack.url or ""
    began = time.monotonic()
    with Watch(house.pids, WATCHED) as watch:
        for role in Role:
            found[role] = fuzz_api(
                url, house.key(role), arguments.seed, arguments.examples
            )
    return of_api(
        arguments.seed, time.monotonic() - began, found, watch.usage, house.deaths
    )


def _uploads(house: House, arguments: argparse.Namespace) -> dict[str, Any]:
    tally = Tally(arguments.keep)
    began = time.monotonic()
    numbers = (
        [arguments.only] if arguments.only is not None else range(arguments.uploads)
    )
    with Watch(house.pids, WATCHED) as watch, house.client() as client:
        send_all(
            client,
            (upload(arguments.seed, number) for number in numbers),
            tally,
            arguments.clients,
        )
        house.collect(arguments.seed, tally)
    return of_uploads(
        arguments.seed, time.monotonic() - began, tally, watch.usage, house.deaths
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
