"""Takes a model through its life on real images under load, and measures whether hospitals notice.

    SERA_WEIGHTS_DIR=DIR PYTHONPATH=. .venv/bin/python -m trials.benchmarks.life \
        --dataset FOLDER --recipe light

Version 1 of the data set is 60 % of FOLDER; its model goes live. Then four clients submit without a
break while version 2 brings the rest: a run whose trainer is killed (-9) three times, gate, shadow
on 100 cases, promotion, rollback. The benchmark prints the outcome of each step, the clients'
errors, and the waiting times in each phase, also as ratios to the first phase.
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

from cli.commands.train import request_run
from cli.connection import ApiClient, address, connect, create_key
from cli.output.terminal import Console
from cli.work.dataset_import import import_rows
from cli.work.model_swap import wait_for_workers
from cli.work.submission import CaseFile, submit_and_wait
from deploy.local import Stack
from shared.domain.datasets.manifest import Row, read_manifest
from shared.domain.roles import Role
from shared.settings import Settings

CLIENTS = 4
SHADOW_CASES = 100
CASES_BEFORE_TRAINING = 60
CASES_AFTER_SWAP = 20
POLL_S = 0.5
FIRST_SHARE = 0.6
TEST_SHARE = 0.25
KILL_AT = (0.15, 0.45, 0.75)
"""Fractions of the run at which the trainer is killed."""
FIRST_PHASE = "live model alone"
REASON = "A trial of the model's life with what there is."


@dataclass
class Clients:
    """Hospitals that submit without a break, and report the final diagnosis after each result."""

    url: str
    keys: Sequence[str]
    rows: Sequence[Row]
    phase: str = FIRST_PHASE
    waits_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds from submission to result, by phase."""
    models: list[str] = field(default_factory=list)
    """Digests of the models of the results, in order."""
    errors: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def submit_continuously(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._work, args=(number,))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join()

    def _work(self, number: int) -> None:
        draw = random.Random(number)
        with ApiClient(self.url, self.keys[number % len(self.keys)]) as api:
            while not self.stopping.is_set():
                self._submit_case(api, draw.choice(self.rows))

    def _submit_case(self, api: ApiClient, row: Row) -> None:
        start = time.perf_counter()
        phase = self.phase
        try:
            file = CaseFile(
                name=row.image.name, data=row.image.read_bytes(), size_mm=14.0
            )
            job = submit_and_wait(api, file)
            if job["state"] != "done":
                self.errors.append(f"{phase}: {job['state']}, {job['reason']}")
                return
            self.waits_s[phase].append(time.perf_counter() - start)
            self.models.append(job["result"]["model"]["digest"])
            outcome = {"malignant": row.malignant, "source": "histology"}
            api.post(f"/v1/cases/{job['case_id']}/outcome", json=outcome)
        except Exception as error:  # noqa: BLE001 (every error that a client gets is counted)
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
        self._test_share = arguments.tests
        rows = [
            row
            for row in read_manifest(arguments.dataset).rows
            if row.malignant is not None
        ]
        random.Random(0).shuffle(rows)
        count_first = round(len(rows) * FIRST_SHARE)
        self._first_rows = rows[:count_first]
        self._later_rows = rows[count_first:]
        keys = [
            create_key(settings, Role.SUBMITTER, hospital=name, label="trial")
            for name in ("north", "south")
        ]
        self.clients = Clients(url=address(settings), keys=keys, rows=rows)

    def run(self) -> None:
        self._api.post("/v1/datasets", json={"name": "trial"})
        first = self._train(self._first_rows)
        self._promote(first, "version 1")
        with self.clients.submit_continuously():
            first_waits_s = self.clients.waits_s[FIRST_PHASE]
            _wait_until(lambda: len(first_waits_s) >= CASES_BEFORE_TRAINING)
            self._enter("training, trainer killed three times")
            second = self._train(self._later_rows, kill_at=KILL_AT)
            self._enter("shadow")
            self._shadow(second)
            self._enter("promotion")
            self._promote(second, "version 2")
            self._wait_until_served(second)
            self._enter("rollback")
            self._roll_back(first)
            self._wait_until_served(first)
        self._report()

    def _train(self, rows: Sequence[Row], kill_at: Sequence[float] = ()) -> str:
        """Train on a new version of the data set; returns the digest of the model.

        The version has these rows in addition; some of them go to the locked test set.
        """
        outcomes = [outcome for _, outcome in import_rows(self._api, "trial", rows)]
        refused = sum(not isinstance(outcome, bool) for outcome in outcomes)
        split = {"by": "patient", "test_share": self._test_share, "seed": 0}
        self._api.post("/v1/datasets/trial/split", json=split)
        start = time.perf_counter()
        run_id = request_run(self._api, "trial", self._recipe)
        run = self._follow(run_id, kill_at)
        print(
            f"version {run['version']}: {len(rows)} rows, {refused} refused; "
            f"{time.perf_counter() - start:.0f} s"
        )
        feature_steps = [step for step in run["steps"] if step["kind"] == "features"]
        seconds = sum(step["seconds"] for step in feature_steps)
        computed = sum(step["outcome"]["computed"] for step in feature_steps)
        print(f"  feature stage {seconds:.1f} s, {computed} vectors computed")
        for kind in ("table", "bundle", "evaluation", "gate"):
            messages = [
                step["message"] for step in run["steps"] if step["kind"] == kind
            ]
            print("  " + "; ".join(messages))
        digest: str = run["model_digest"]
        return digest

    def _follow(self, run_id: str, kill_at: Sequence[float]) -> dict[str, Any]:
        """Kill the trainer at each of these fractions of the run; returns the finished run.

        The process ends if a step that was finished before a kill is done again.
        """
        kills_left = list(kill_at)
        finished: dict[str, int] = {}
        run: dict[str, Any] = self._api.get(f"/v1/training-runs/{run_id}")
        while run["state"] not in ("done", "failed", "cancelled"):
            _check_not_repeated(run, finished)
            is_working = any(step["state"] == "running" for step in run["steps"])
            if kills_left and run["fraction"] >= kills_left[0] and is_working:
                kills_left.pop(0)
                for step in run["steps"]:
                    if step["state"] == "done":
                        finished[step["name"]] = step["attempts"]
                trainer = psutil.Process(self._stack.state.pids["trainer"])
                trainer.send_signal(signal.SIGKILL)
                print(
                    f"  killed at {run['fraction']:.0%} with {len(finished)} steps finished"
                )
                time.sleep(POLL_S)
            time.sleep(POLL_S / 5)
            run = self._api.get(f"/v1/training-runs/{run_id}")
        _check_not_repeated(run, finished)
        if run["state"] != "done":
            raise SystemExit(f"the run ended as {run['state']}: {run['message']}")
        if finished:
            repeated = {
                step["name"]: step["attempts"]
                for step in run["steps"]
                if step["attempts"] > 1
            }
            print(
                f"  none of the {len(finished)} finished steps was done again; taken up more "
                f"than once: {repeated}"
            )
        return run

    def _shadow(self, digest: str) -> None:
        self._api.post(f"/v1/models/{digest}/shadow", json={})
        _wait_until(
            lambda: self._api.get(f"/v1/models/{digest}/shadow")["read"] >= SHADOW_CASES
        )
        report = self._api.get(f"/v1/models/{digest}/shadow")
        comparison = report["comparison"]
        print(
            f"shadow: {report['read']} cases read, {report['unread']} unread, agreement "
            f"{comparison['agreement']}"
        )
        print(f"  score difference {comparison['score_difference']}")
        print(f"  outcomes {comparison['outcomes']}")

    def _promote(self, digest: str, name: str) -> None:
        gate = self._api.get(f"/v1/models/{digest}/gate")
        is_passed = gate["verdict"] == "passed"
        body = {} if is_passed else {"reason": REASON}
        self._api.post(f"/v1/models/{digest}/promote", json=body)
        swap = wait_for_workers(self._api, digest, Console(stderr=True))
        note = "" if is_passed else " (for a written reason)"
        print(f"promoted {name}, gate {gate['verdict']}{note}: {swap.lines()}")
        for reason in gate["reasons"]:
            print(f"  {reason['weight']}: {reason['sentence']}")

    def _roll_back(self, digest: str) -> None:
        live = self._api.post(
            "/v1/models/rollback", json={"reason": "The trial goes back."}
        )
        swap = wait_for_workers(self._api, live["digest"], Console(stderr=True))
        print(f"rolled back to version 1: {live['digest'] == digest}, {swap.lines()}")

    def _wait_until_served(self, digest: str) -> None:
        """Wait until the model has answered some cases."""
        start = len(self.clients.models)
        _wait_until(
            lambda: self.clients.models[start:].count(digest) >= CASES_AFTER_SWAP
        )

    def _enter(self, phase: str) -> None:
        self.clients.phase = phase

    def _report(self) -> None:
        clients = self.clients
        total = sum(len(waits_s) for waits_s in clients.waits_s.values())
        print(
            f"{CLIENTS} clients: {total} cases done, {len(clients.errors)} errors "
            f"{clients.errors[:3]}"
        )
        first_p50_s = statistics.median(clients.waits_s[FIRST_PHASE])
        for phase, waits_s in clients.waits_s.items():
            p50_s = statistics.median(waits_s)
            p95_s = sorted(waits_s)[int(len(waits_s) * 0.95)]
            print(
                f"  {phase}: {len(waits_s)} cases, p50 {p50_s:.2f} s "
                f"({p50_s / first_p50_s:.2f}), p95 {p95_s:.2f} s"
            )


def _check_not_repeated(run: dict[str, Any], finished: dict[str, int]) -> None:
    """End the process if a step has more attempts than when it was finished."""
    attempts = {step["name"]: step["attempts"] for step in run["steps"]}
    repeated = [name for name, count in finished.items() if attempts[name] != count]
    if repeated:
        raise SystemExit(f"done again: {repeated}")


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as home, _stack(Path(home), arguments) as stack:
        settings = Settings(
            home=stack.home.root,
            port=stack.port,
            database_url=stack.database_url,
            broker_url=stack.broker_url,
            objects_url=stack.objects_url,
        )
        with connect(Role.OPERATOR, settings) as api:
            Trial(stack=stack, api=api, settings=settings, arguments=arguments).run()


def _stack(home: Path, arguments: argparse.Namespace) -> Stack:
    weights = Settings().weights_dir
    extra_env = {"SERA_WEIGHTS_DIR": str(weights)} if weights else {}
    return Stack(home, arguments.port, extra_env=extra_env)


def _wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
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
