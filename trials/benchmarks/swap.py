"""What a case waits while a worker swaps models, against what it waits before and after, in one
run.

    PYTHONPATH=. .venv/bin/python trials/benchmarks/swap.py --recipe starter --swaps 6
    PYTHONPATH=. .venv/bin/python trials/benchmarks/swap.py --bundles A B

Takes two bundles, or fits the recipe twice on phantoms. One case after another goes through the
worker's own parts on real engines, and every so many cases the other model is promoted. Only ratios
within one run mean anything.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
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


def main() -> None:
    arguments = _arguments()
    logs.configure("bench", "WARNING")
    with ExitStack() as opened:
        home = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        engines = opened.enter_context(EmbeddedEngines(home / "engines"))
        folders = arguments.bundles or _fitted(arguments.recipe, home)
        migrate(engines.database_url)
        bench = Bench(
            Ledger(engines.database_url),
            open_store((home / "objects").as_uri()),
            home,
            folders,
        )
        follower = Follower(bench.live)
        bench.promote(0)
        bench.desk.open()
        follower.start()
        for turn in range(1, arguments.swaps + 1):
            bench.swap(turn % 2, arguments.cases)
        follower.stop()
    bench.report()


class Bench:
    """A worker's parts, two published bundles, and the times of the cases by phase."""

    def __init__(
        self, ledger: Ledger, objects: ObjectStore, home: Path, folders: list[Path]
    ) -> None:
        self._ledger = ledger
        self._objects = objects
        settings = Settings(home=home, worker_name="bench", lease_s=60)
        self.live = LiveModel(
            ledger, BundleCache(ledger, objects, home / "cache"), "bench"
        )
        self.desk = InferenceService(
            settings,
            ledger,
            self.live,
            Preparation(objects, open_decoders(settings, settings.decoders)),
            Heartbeat(lambda tokens: None, LEASE),
        )
        self._digests = [self._store(folder) for folder in folders]
        self._times: dict[str, list[float]] = {phase: [] for phase in PHASES}
        self._loads: list[float] = []
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
            self._times["before"].append(self._case())
        self.promote(number)
        began = time.perf_counter()
        while self._serving() != self._digests[number]:
            self._times["during"].append(self._case())
        self._loads.append(time.perf_counter() - began)
        for _ in range(cases):
            self._times["after"].append(self._case())

    def report(self) -> None:
        figures = {phase: _figures(times) for phase, times in self._times.items()}
        print(
            f"from promotion to swap {np.median(self._loads):.2f} s in the median of "
            f"{len(self._loads)}"
        )
        for phase, (p50, p95, most) in figures.items():
            ratios = [
                found / usual
                for found, usual in zip(
                    (p50, p95, most), figures["before"], strict=True
                )
            ]
            told = "  ".join(
                f"{name} {ratio:5.2f}"
                for name, ratio in zip(("p50", "p95", "max"), ratios, strict=True)
            )
            print(
                f"{phase:7} {len(self._times[phase]):5} cases  {told}  ({p50:.1f}, {p95:.1f}, "
                f"{most:.1f} ms)"
            )

    def _serving(self) -> str:
        return self.live.refresh().digest

    def _store(self, folder: Path) -> str:
        digest = publish(folder, self._objects)
        with self._ledger.system_session("bench") as session:
            session.models.store(digest, "bench", "bench", None, False, {})
        return digest

    def _case(self) -> float:
        """Milliseconds from claim to result of one case."""
        case = NewCase(self._image, 1, "png", 256, 256, 14.5, None, None)
        with self._ledger.hospital_session(self._hospital, "bench") as session:
            job = session.jobs.create(session.cases.add(case), Priority.ROUTINE)
        taken = _timed(self.desk.work)
        with self._ledger.hospital_session(self._hospital, "bench") as session:
            if session.jobs.find(job).result is None:
                raise SystemExit("a case was not answered")
        return taken


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


def _fitted(name: str, home: Path) -> list[Path]:
    recipe = load_recipe(name)
    weights = WeightsFinder(Settings().weights_dir, home / "weights")
    folders = [home / f"bundle-{seed}" for seed in range(2)]
    for seed, folder in enumerate(folders):
        save(
            fit(
                phantom_samples(80, seed, recipe.roi.margin), recipe, weights, seed=seed
            ),
            folder,
            synthetic=True,
        )
        load(folder)
    return folders


def _figures(times: list[float]) -> tuple[float, float, float]:
    return float(np.median(times)), float(np.quantile(times, 0.95)), max(times)


def _png(seed: int) -> bytes:
    return cv2.imencode(".png", draw(seed).pixels)[1].tobytes()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
