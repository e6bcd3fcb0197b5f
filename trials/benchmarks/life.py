"""The life of a model on real images, under load: what operators do to it must not reach the
hospitals.

SERA_WEIGHTS_DIR=DIR PYTHONPATH=. .venv/bin/python -m trials.benchmarks.life --dataset FOLDER
--recipe light

Version 1 of the data set is 60 % of FOLDER; its model goes live. While four clients submit without
a break, version 2 comes with the rest: a run whose trainer is killed (-9) three times, gate, shadow
on 100 cases, promotion, rollback. Prints what each step came to, the clients' errors, and what
their cases waited in each phase, as ratios to the first.
"""

import argparse
import random
import signal
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from cli.commands.train import request_run
from cli.connection import ApiClient, address, connect, create_key
from cli.work.dataset_import import import_rows
from cli.work.model_swap import wait_for_workers
from cli.work.submission import CaseFile, submit_and_wait
from deploy.local import Stack
from shared.domain.datasets.manifest import Row, read_manifest
from shared.domain.roles import Role
from shared.settings import Settings

CLIENTS = 4
SHADOWED = 100
POLL_S = 0.5
FIRST_SHARE = 0.6
TEST_SHARE = 0.25
KILL_AT = (0.15, 0.45, 0.75)
REASON = "A trial of the model's life with what there is."


@dataclass
class Clients:
    """Hospitals that submit without a break; they know the truth and tell it afterwards."""

    url: str
    keys: Sequence[str]
    rows: Sequence[Row]
    phase: str = "live model alone"
    waited: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    models: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._work, args=(number,))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    def _work(self, number: int) -> None:
        draw = random.Random(number)
        with ApiClient(self.url, self.keys[number % len(self.keys)]) as api:
            while not self.over.is_set():
                self._one(api, draw.choice(self.rows))

    def _one(self, api: ApiClient, row: Row) -> None:
        began = time.perf_counter()
        phase = self.phase
        try:
            job = submit_and_wait(
                api, CaseFile(row.image.name, row.image.read_bytes(), 14.0)
            )
            if job["state"] != "done":
                self.errors.append(f"{phase}: {job['state']}, {job['reason']}")
                return
            self.waited[phase].append(time.perf_counter() - began)
            self.models.append(job["result"]["model"]["digest"])
            told = {"malignant": row.malignant == "1", "source": "histology"}
            api.post(f"/v1/cases/{job['case_id']}/outcome", json=told)
        except Exception as error:  # noqa: BLE001 (whatever reaches a client is what this counts)
            self.errors.append(f"{phase}: {type(error).__name__} {error}")


class Trial:
    def __init__(
        self,
        stack: Stack,
        api: ApiClient,
        settings: Settings,
        arguments: argparse.Namespace,
    ) -> None:
        self._stack = stack
        self._api = api
        self._recipe = arguments.recipe
        self._tests = arguments.tests
        rows = [
            row
            for row in read_manifest(arguments.dataset)
            if row.malignant in ("0", "1")
        ]
        random.Random(0).shuffle(rows)
        cut = round(len(rows) * FIRST_SHARE)
        self._first = rows[:cut]
        self._rest = rows[cut:]
        keys = [
            create_key(settings, Role.SUBMITTER, name, "trial")
            for name in ("north", "south")
        ]
        self.clients = Clients(address(settings), keys, rows)

    def go(self) -> None:
        self._api.post("/v1/datasets", json={"name": "trial"})
        first = self._trained(self._first)
        self._promote(first, "version 1")
        with self.clients.at_work():
            _until(lambda: len(self.clients.waited[self.clients.phase]) >= 60)
            self._enter("training, trainer killed three times")
            second = self._trained(self._rest, kills=KILL_AT)
            self._enter("shadow")
            self._shadow(second)
            self._enter("promotion")
            self._promote(second, "version 2")
            self._served_by(second)
            self._enter("rollback")
            self._roll_back(first)
            self._served_by(first)
        self._report()

    def _trained(self, rows: Sequence[Row], kills: Sequence[float] = ()) -> str:
        """Add the rows, give some of the new ones to the locked test set, freeze, train; returns
        the digest.
        """
        refused = [
            outcome
            for _, outcome in import_rows(self._api, "trial", rows)
            if not isinstance(outcome, bool)
        ]
        split = {"by": "patient", "test_share": self._tests, "seed": 0}
        self._api.post("/v1/datasets/trial/split", json=split)
        began = time.perf_counter()
        run_id = request_run(self._api, "trial", self._recipe)
        run = self._killed(run_id, list(kills))
        print(
            f"version {run['version']}: {len(rows)} rows, {len(refused)} refused; "
            f"{time.perf_counter() - began:.0f} s"
        )
        features = [step for step in run["steps"] if step["kind"] == "features"]
        seconds = sum(s["seconds"] for s in features)
        computed = sum(s["outcome"]["computed"] for s in features)
        print(f"  feature stage {seconds:.1f} s, {computed} vectors computed")
        for kind in ("table", "bundle", "evaluation", "gate"):
            print(
                "  "
                + "; ".join(
                    step["message"] for step in run["steps"] if step["kind"] == kind
                )
            )
        return run["model_digest"]

    def _killed(self, run_id: str, kills: list[float]) -> dict[str, Any]:
        """Follow the run; at each of these fractions kill the trainer, and see that finished steps
        stay so.
        """
        finished: dict[str, int] = {}
        while True:
            run = self._api.get(f"/v1/training-runs/{run_id}")
            attempts = {step["name"]: step["attempts"] for step in run["steps"]}
            again = [
                name for name, before in finished.items() if attempts[name] != before
            ]
            if again:
                raise SystemExit(f"done again: {again}")
            if run["state"] in ("done", "failed", "cancelled"):
                break
            if (
                kills
                and run["fraction"] >= kills[0]
                and any(step["state"] == "running" for step in run["steps"])
            ):
                kills.pop(0)
                finished |= {
                    step["name"]: step["attempts"]
                    for step in run["steps"]
                    if step["state"] == "done"
                }
                psutil.Process(self._stack.state.pids["trainer"]).send_signal(
                    signal.SIGKILL
                )
                print(
                    f"  killed at {run['fraction']:.0%} with {len(finished)} steps finished"
                )
                time.sleep(POLL_S)
            time.sleep(POLL_S / 5)
        if run["state"] != "done":
            raise SystemExit(f"the run ended as {run['state']}: {run['message']}")
        more = {
            step["name"]: step["attempts"]
            for step in run["steps"]
            if step["attempts"] > 1
        }
        if finished:
            print(
                f"  none of the {len(finished)} finished steps was done again; taken up more "
                f"than once: {more}"
            )
        return run

    def _shadow(self, digest: str) -> None:
        self._api.post(f"/v1/models/{digest}/shadow", json={})
        _until(lambda: self._api.get(f"/v1/models/{digest}/shadow")["read"] >= SHADOWED)
        report = self._api.get(f"/v1/models/{digest}/shadow")
        told = report["comparison"]
        print(
            f"shadow: {report['read']} cases read, {report['unread']} unread, agreement "
            f"{told['agreement']}"
        )
        print(f"  score difference {told['score_difference']}")
        print(f"  outcomes {told['outcomes']}")

    def _promote(self, digest: str, name: str) -> None:
        gate = self._api.get(f"/v1/models/{digest}/gate")
        passed = gate["verdict"] == "passed"
        self._api.post(
            f"/v1/models/{digest}/promote", json={} if passed else {"reason": REASON}
        )
        swap = wait_for_workers(self._api, digest, Console(stderr=True))
        print(
            f"promoted {name}, gate "
            f"{gate['verdict']}{'' if passed else ' (for a written reason)'}: {swap.lines()}"
        )
        for reason in gate["reasons"]:
            print(f"  {reason['weight']}: {reason['sentence']}")

    def _roll_back(self, digest: str) -> None:
        live = self._api.post(
            "/v1/models/rollback", json={"reason": "The trial goes back."}
        )
        swap = wait_for_workers(self._api, live["digest"], Console(stderr=True))
        print(f"rolled back to version 1: {live['digest'] == digest}, {swap.lines()}")

    def _served_by(self, digest: str) -> None:
        """Until cases have been answered by that model for a while."""
        seen = len(self.clients.models)
        _until(lambda: self.clients.models[seen:].count(digest) >= 20)

    def _enter(self, phase: str) -> None:
        self.clients.phase = phase

    def _report(self) -> None:
        clients = self.clients
        total = sum(map(len, clients.waited.values()))
        print(
            f"{CLIENTS} clients: {total} cases done, {len(clients.errors)} errors "
            f"{clients.errors[:3]}"
        )
        base = statistics.median(clients.waited["live model alone"])
        for phase, waits in clients.waited.items():
            middle = statistics.median(waits)
            late = sorted(waits)[int(len(waits) * 0.95)]
            print(
                f"  {phase}: {len(waits)} cases, p50 {middle:.2f} s ({middle / base:.2f}), p95 "
                f"{late:.2f} s"
            )


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as home, _stack(Path(home), arguments) as stack:
        urls = {
            "database_url": stack.database_url,
            "broker_url": stack.broker_url,
            "objects_url": stack.objects_url,
        }
        settings = Settings(home=stack.home.root, port=stack.port, **urls)
        with connect(Role.OPERATOR, settings) as api:
            Trial(stack, api, settings, arguments).go()


def _stack(home: Path, arguments: argparse.Namespace) -> Stack:
    weights = Settings().weights_dir
    return Stack(
        home,
        arguments.port,
        extra_env={"SERA_WEIGHTS_DIR": str(weights)} if weights else {},
    )


def _until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(POLL_S)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--recipe", default="light")
    parser.add_argument(
        "--tests",
        type=float,
        default=TEST_SHARE,
        help="share of each version's new rows",
    )
    parser.add_argument("--port", type=int, default=18910)
    return parser.parse_args()


if __name__ == "__main__":
    main()
