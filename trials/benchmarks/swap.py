"""Compares the waiting time of a case while a worker swaps models with that before and after.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/swap.py --recipe starter --swaps 6
    PYTHONPATH=. .venv/bin/python trials/benchmarks/swap.py --bundles A B

The benchmark takes two bundles, or fits the recipe twice on phantoms. One case after another goes
through the worker's own parts on real engines. After every `--cases` cases the other model is
promoted. Only ratios within one run mean anything.
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np

from deploy.local import EmbeddedEngines
from services.worker.bundle_cache import BundleCache
from services.worker.inference.loop import InferenceService
from services.worker.inference.preparation import Preparation, open_decoders
from services.worker.live_model import Follower, LiveModel
from shared.bundles import load, save
from shared.bundles.storage import publish
from shared.domain.jobs import Priority
from shared.learning import fit, phantom_samples
from shared.ledger import Ledger
from shared.ledger.cases.repository import NewCase
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.schema.migrate import migrate
from shared.networks import WeightsFinder
from shared.objects import ObjectStore, open_store
from shared.observability import logs
from shared.phantoms import draw
from shared.recipes import load_recipe
from shared.settings import Settings

LEASE = timedelta(minutes=1)
PHASES = ("before", "during", "after")


@dataclass(frozen=True)
class Summary:
    p50_ms: float
    p95_ms: float
    max_ms: float


def main() -> None:
    arguments = _arguments()
    logs.configure("bench", "WARNING")
    with ExitStack() as resources:
        home = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        engines = resources.enter_context(EmbeddedEngines(home / "engines"))
        folders = arguments.bundles or _fit_bundles(arguments.recipe, home)
        migrate(engines.database_url)
        trial = SwapTrial(
            ledger=Ledger(engines.database_url),
            objects=open_store((home / "objects").as_uri()),
            home=home,
            folders=folders,
        )
        follower = Follower(trial.live)
        trial.promote(0)
        trial.inference.open()
        follower.start()
        for turn in range(1, arguments.swaps + 1):
            trial.swap(turn % 2, arguments.cases)
        follower.stop()
    trial.report()


class SwapTrial:
    """The parts of a worker, two published bundles, and the times of the cases by phase."""

    def __init__(
        self, ledger: Ledger, objects: ObjectStore, home: Path, folders: list[Path]
    ) -> None:
        self._ledger = ledger
        self._objects = objects
        settings = Settings(home=home, worker_name="bench", lease_s=60)
        bundle_cache = BundleCache(ledger, objects, home / "cache")
        self.live = LiveModel(ledger, bundle_cache, "bench")
        decoders = open_decoders(settings, settings.decoders)
        self.inference = InferenceService(
            settings=settings,
            ledger=ledger,
            live=self.live,
            preparation=Preparation(objects, decoders),
            heartbeat=Heartbeat(lambda tokens: None, LEASE),
        )
        self._digests = [self._publish(folder) for folder in folders]
        self._times_ms: dict[str, list[float]] = {phase: [] for phase in PHASES}
        self._swap_times_s: list[float] = []
        self._image = objects.put(_png(3)).sha256
        with ledger.system_session("bench") as session:
            self._hospital = session.hospitals.ensure("bench")

    def promote(self, number: int) -> None:
        with self._ledger.system_session("bench") as session:
            session.models.promote(
                self._digests[number], "bench", "the benchmark asks for it"
            )

    def swap(self, number: int, cases: int) -> None:
        """Time cases before, during and after a swap to the model of this number."""
        for _ in range(cases):
            self._times_ms["before"].append(self._time_case_ms())
        self.promote(number)
        start = time.perf_counter()
        while self._served_digest() != self._digests[number]:
            self._times_ms["during"].append(self._time_case_ms())
        self._swap_times_s.append(time.perf_counter() - start)
        for _ in range(cases):
            self._times_ms["after"].append(self._time_case_ms())

    def report(self) -> None:
        print(
            f"from promotion to swap {np.median(self._swap_times_s):.2f} s in the median of "
            f"{len(self._swap_times_s)}"
        )
        before = _summarise(self._times_ms["before"])
        for phase, times_ms in self._times_ms.items():
            summary = _summarise(times_ms)
            print(
                f"{phase:7} {len(times_ms):5} cases  "
                f"p50 {summary.p50_ms / before.p50_ms:5.2f}  "
                f"p95 {summary.p95_ms / before.p95_ms:5.2f}  "
                f"max {summary.max_ms / before.max_ms:5.2f}  "
                f"({summary.p50_ms:.1f}, {summary.p95_ms:.1f}, {summary.max_ms:.1f} ms)"
            )

    def _served_digest(self) -> str | None:
        model = self.live.refresh()
        return model.digest if model else None

    def _publish(self, folder: Path) -> str:
        digest = publish(folder, self._objects)
        with self._ledger.system_session("bench") as session:
            session.models.store(
                digest=digest,
                name="bench",
                recipe="bench",
                run_id=None,
                synthetic=False,
                metrics={},
            )
        return digest

    def _time_case_ms(self) -> float:
        """Milliseconds from claim to result of one case."""
        case = NewCase(
            image_sha256=self._image,
            image_bytes=1,
            image_format="png",
            width=256,
            height=256,
            size_mm=14.5,
            roi=None,
            external_id=None,
        )
        with self._ledger.hospital_session(self._hospital, "bench") as session:
            job_id = session.jobs.create(session.cases.add(case), Priority.ROUTINE)
        start = time.perf_counter()
        self.inference.work()
        time_ms = (time.perf_counter() - start) * 1000
        with self._ledger.hospital_session(self._hospital, "bench") as session:
            job = session.jobs.find(job_id)
        if job is None or job.result is None:
            raise SystemExit("a case was not answered")
        return time_ms


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="starter")
    parser.add_argument("--bundles", type=Path, nargs=2, help="folders of two bundles")
    parser.add_argument("--swaps", type=int, default=6)
    parser.add_argument(
        "--cases", type=int, default=40, help="before and after each swap"
    )
    return parser.parse_args()


def _fit_bundles(name: str, home: Path) -> list[Path]:
    """Fit the recipe on two sets of phantoms; the folders of the bundles."""
    recipe = load_recipe(name)
    weights = WeightsFinder(Settings().weights_dir, home / "weights")
    folders = [home / f"bundle-{seed}" for seed in range(2)]
    for seed, folder in enumerate(folders):
        samples = phantom_samples(80, seed)
        save(fit(samples, recipe, weights, seed=seed), folder, synthetic=True)
        load(folder)
    return folders


def _summarise(times_ms: list[float]) -> Summary:
    return Summary(
        p50_ms=float(np.median(times_ms)),
        p95_ms=float(np.quantile(times_ms, 0.95)),
        max_ms=max(times_ms),
    )


def _png(seed: int) -> bytes:
    return cv2.imencode(".png", draw(seed).pixels)[1].tobytes()


if __name__ == "__main__":
    main()
