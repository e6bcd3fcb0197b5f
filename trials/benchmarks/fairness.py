"""Compares the waiting times of a hospital when it is alone and when another hospital floods SERA.

    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.fairness \
        [--flood 1000] [--cases 20] [--rounds 3] [--max-images 8]

The benchmark starts a stack of its own, with a small bundle fitted on phantoms. The quiet hospital
sends its cases at once. A case waits from its acceptance to its result, by the database's clock.
The first rounds have the quiet hospital alone, the next ones also the flood. All cases of the flood
enter the ledger at once, so that the whole flood waits when the quiet hospital sends, however fast
the model is. The rounds of each kind are pooled. Only ratios within one run mean anything.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import sqlalchemy as sa

from cli.connection import ApiClient, address, create_key
from cli.work.submission import CaseFile, submit
from deploy.local import Stack
from shared.bundles import save
from shared.bundles.storage import publish
from shared.domain.jobs import Priority
from shared.domain.roles import Role
from shared.learning import fit, phantom_samples
from shared.ledger import Ledger
from shared.ledger.cases.repository import NewCase
from shared.ledger.jobs.repository import FAIRNESS_WINDOW
from shared.networks import WeightsFinder
from shared.objects import open_store
from shared.phantoms import draw
from shared.recipes import load_recipe, read_recipe
from shared.settings import Settings
from tests.support.builders import SMALL_RECIPE

CLIENTS = 4
PAUSE_S = 0.2
IMAGES = 40
WAITS = sa.text(
    "SELECT extract(epoch FROM r.created_at - j.created_at) FROM jobs j JOIN results r "
    "ON r.job_id = j.id "
    "WHERE j.id = ANY(CAST(:jobs AS uuid[])) ORDER BY r.created_at"
)
UNFINISHED = sa.text("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")


def main() -> None:
    arguments = _arguments()
    worker_settings = {
        "SERA_BATCH_S": str(arguments.batch_s),
        "SERA_MAX_IMAGES": str(arguments.max_images),
    }
    with (
        tempfile.TemporaryDirectory() as home,
        Stack(Path(home), arguments.port, extra_env=worker_settings) as stack,
    ):
        trial = FairnessTrial(stack)
        trial.serve(arguments.recipe)
        trial.run_round(arguments.cases, flood=0)  # warms everything up
        waits_alone: list[float] = []
        for _ in range(arguments.rounds):
            waits_alone += trial.run_round(arguments.cases, flood=0)
        waits_in_flood: list[float] = []
        for _ in range(arguments.rounds):
            waits_in_flood += trial.run_round(arguments.cases, flood=arguments.flood)
        trial.close()
    report(waits_alone, waits_in_flood)


class FairnessTrial:
    """A stack with a quiet hospital and a flooding one."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._ledger = Ledger(stack.database_url, pool_size=2)
        settings = Settings(
            home=stack.home.root,
            port=stack.port,
            database_url=stack.database_url,
            broker_url=stack.broker_url,
            objects_url=stack.objects_url,
        )
        key = create_key(settings, Role.SUBMITTER, hospital="quiet", label="benchmark")
        self._quiet_hospital = ApiClient(address(settings), key)
        self._objects = open_store(stack.objects_url)

    def serve(self, recipe_name: str | None) -> None:
        """Fit a bundle on phantoms and make it live."""
        recipe = load_recipe(recipe_name) if recipe_name else read_recipe(SMALL_RECIPE)
        folder = self._stack.home.root / "bench"
        weights = WeightsFinder(Settings().weights_dir, Path("nowhere"))
        samples = phantom_samples(24, 0)
        save(fit(samples, recipe, weights), folder, synthetic=True)
        digest = publish(folder, self._objects)
        with self._ledger.system_session("bench") as session:
            session.models.store(
                digest=digest,
                name="bench",
                recipe=recipe.name,
                run_id=None,
                synthetic=True,
                metrics={},
            )
            session.models.promote(digest, "bench", "the benchmark asks for it")

    def run_round(self, cases: int, *, flood: int) -> list[float]:
        """Seconds that each case of the quiet hospital waited.

        The round ends when the whole flood has its results. Before a flood the trial waits for the
        window of the fairness rule, so that earlier cases of either hospital do not count.
        """
        if flood:
            time.sleep(FAIRNESS_WINDOW.total_seconds())
            self._flood(flood)
        waits = self._wait_for_results(_send(self._quiet_hospital, cases))
        unfinished = self._count_unfinished()
        print(
            f"p95 {_p95(waits):6.2f} s beside {flood} cases, {unfinished} left when the quiet "
            "hospital was done",
            flush=True,
        )
        while self._count_unfinished():
            time.sleep(PAUSE_S)
        return waits

    def _flood(self, count: int) -> None:
        """Queue this many cases of the flooding hospital, and return once a worker has started."""
        images = [self._objects.put(_image(seed)) for seed in range(min(count, IMAGES))]
        with self._ledger.system_session("bench") as system_session:
            hospital = system_session.hospitals.ensure("flooding")
        with self._ledger.hospital_session(hospital, "bench") as hospital_session:
            for number in range(count):
                image = images[number % len(images)]
                case = NewCase(
                    image_sha256=image.sha256,
                    image_bytes=image.size,
                    image_format="png",
                    width=128,
                    height=128,
                    size_mm=14.5,
                    roi=None,
                    external_id=None,
                )
                case_id = hospital_session.cases.add(case)
                hospital_session.jobs.create(case_id, Priority.ROUTINE)
        while self._count_unfinished() == count:
            time.sleep(PAUSE_S)

    def close(self) -> None:
        self._ledger.close()

    def _wait_for_results(self, jobs: Sequence[str]) -> list[float]:
        waits = self._waits(jobs)
        while len(waits) < len(jobs):
            time.sleep(PAUSE_S)
            waits = self._waits(jobs)
        return waits

    def _waits(self, jobs: Sequence[str]) -> list[float]:
        """Seconds that the jobs with a result waited for it."""
        with self._ledger.engine.connect() as connection:
            waits = connection.execute(WAITS, {"jobs": list(jobs)}).scalars()
            return [float(wait_s) for wait_s in waits]

    def _count_unfinished(self) -> int:
        with self._ledger.engine.connect() as connection:
            count: int = connection.execute(UNFINISHED).scalar_one()
        return count


def report(waits_alone: Sequence[float], waits_in_flood: Sequence[float]) -> None:
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        alone_s = np.quantile(waits_alone, share)
        in_flood_s = np.quantile(waits_in_flood, share)
        print(
            f"{name}: alone {alone_s:.2f} s, beside the flood {in_flood_s:.2f} s, ratio "
            f"{in_flood_s / alone_s:.2f}"
        )


def _send(api: ApiClient, count: int) -> list[str]:
    """Submit cases with several clients; the ids of their jobs."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        receipts = pool.map(lambda seed: submit(api, _case(seed)), range(count))
        return [receipt["job_id"] for receipt in receipts]


def _case(seed: int) -> CaseFile:
    return CaseFile(name="image.png", data=_image(seed), size_mm=14.5)


def _image(seed: int) -> bytes:
    pixels = draw(seed, size_px=128).pixels.astype(np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def _p95(waits: Sequence[float]) -> float:
    return float(np.quantile(waits, 0.95))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flood", type=int, default=1000)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-s", type=float, default=Settings().batch_s)
    parser.add_argument("--max-images", type=int, default=Settings().max_images)
    parser.add_argument(
        "--recipe", help="a recipe by its name; left out, the tests' small one"
    )
    parser.add_argument("--port", type=int, default=18930)
    return parser.parse_args()


if __name__ == "__main__":
    main()
