"""Measures training by real trainer processes: one or two trainers, new images, and memory.

    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.training trainers \
        --dataset FOLDER --recipe light --folds 6
    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.training growth \
        --dataset FOLDER --recipe light
    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.training memory \
        --recipe starter --counts 200 2000

`trainers` trains the same images once with one process, which has all cores, and once with two,
which share them; the cache is empty each time. `growth` trains on 95 % of the images, then on all
of them, and compares the feature stages. `memory` draws phantoms and samples the trainer's resident
memory while it computes features, and afterwards.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import cv2
import psutil

from deploy.local import EmbeddedEngines
from shared.domain.datasets.manifest import read_manifest
from shared.domain.training.states import (
    FINAL_RUN_STATES,
    RunState,
    Split,
    StepKind,
    StepState,
)
from shared.ledger import Ledger
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.schema.migrate import migrate
from shared.ledger.training.runs import Step
from shared.objects import ObjectStore, open_store
from shared.phantoms import draw

FIRST_SHARE = 0.95
SAMPLE_S = 0.05
POLL_S = 0.5
MIB = 2**20


class TrainingTrial:
    """Engines, a ledger and an object store for one benchmark, with a data set."""

    def __init__(self, home: Path, engines: EmbeddedEngines) -> None:
        self._home = home
        self._engines = engines
        migrate(engines.database_url)
        self.ledger = Ledger(engines.database_url)
        self.objects = open_store((home / "objects").as_uri())

    def add(self, images: Sequence[LabelledImage]) -> None:
        with self.ledger.system_session("benchmark") as session:
            session.drafts.add(session.datasets.ensure("set"), images)

    def clear_cache(self) -> None:
        """Delete every object that a run computed."""
        shutil.rmtree(self._home / "objects" / "named", ignore_errors=True)

    def request_run(self, recipe: str, folds: int | None = None) -> UUID:
        """Freeze the data set and queue a run on it."""
        with self.ledger.system_session("benchmark") as session:
            dataset = session.datasets.ensure("set")
            version = session.versions.freeze(dataset)
            return session.runs.request(
                dataset=dataset,
                version=version.id,
                recipe=recipe,
                seed=0,
                folds=folds,
            )

    def is_final(self, run_id: UUID) -> bool:
        """Whether the run is done. The process ends if it failed."""
        with self.ledger.system_session("benchmark") as session:
            run = session.runs.find(run_id)
        assert run is not None
        if run.state in (RunState.FAILED, RunState.CANCELLED):
            sys.exit(f"the run failed: {run.message}")
        return run.state in FINAL_RUN_STATES

    def wait_for(self, run: UUID) -> None:
        while not self.is_final(run):
            time.sleep(SAMPLE_S)

    def steps(self, run: UUID) -> list[Step]:
        with self.ledger.system_session("benchmark") as session:
            return session.runs.steps(run)

    @contextmanager
    def trainers(self, count: int) -> Iterator[list[psutil.Process]]:
        """As many trainers, ready, each with its share of the cores; and beat."""
        ready_files = [
            self._home / f"ready-{count}-{number}" for number in range(count)
        ]
        env = os.environ | {
            "SERA_DATABASE_URL": self._engines.database_url,
            "SERA_BROKER_URL": self._engines.broker_url,
            "SERA_OBJECTS_URL": (self._home / "objects").as_uri(),
            "SERA_HOME": str(self._home),
            "OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // count, 1)),
            "GOMP_SPINCOUNT": "3000",
        }
        trainer = [sys.executable, "-m", "services.trainer"]
        beat = [sys.executable, "-m", "services.beat"]
        with ExitStack() as processes, (self._home / "log").open("ab") as log:
            trainers = []
            for ready_file in ready_files:
                trainer_env = env | {"SERA_READY_FILE": str(ready_file)}
                pid = processes.enter_context(_process(trainer, trainer_env, log))
                trainers.append(psutil.Process(pid))
            while not all(file.exists() for file in ready_files):
                time.sleep(SAMPLE_S)
            beat_env = env | {"SERA_RING_EVERY_S": "0.5"}
            processes.enter_context(_process(beat, beat_env, log))
            yield trainers


@contextmanager
def _process(command: list[str], env: dict[str, str], log: BinaryIO) -> Iterator[int]:
    """A running process, which is killed at the end; its process id."""
    process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def main() -> None:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory() as home,
        EmbeddedEngines(Path(home, "engines"), durable=False) as engines,
    ):
        trial = TrainingTrial(Path(home), engines)
        comparisons = {
            "trainers": compare_trainers,
            "growth": compare_growth,
            "memory": compare_memory,
        }
        comparisons[arguments.what](trial, arguments)
        trial.ledger.close()


def compare_trainers(trial: TrainingTrial, arguments: argparse.Namespace) -> None:
    trial.add(list(_labelled_images(arguments.dataset, trial.objects)))
    times_s = {}
    for count in (1, 2):
        trial.clear_cache()
        with trial.trainers(count):
            start = time.perf_counter()
            run = trial.request_run(arguments.recipe, arguments.folds)
            trial.wait_for(run)
            times_s[count] = time.perf_counter() - start
        stages = _stage_seconds(trial.steps(run))
        print(f"{count} trainer(s): {times_s[count]:.1f} s; {stages}")
    print(f"two against one: ratio {times_s[1] / times_s[2]:.2f}")


def compare_growth(trial: TrainingTrial, arguments: argparse.Namespace) -> None:
    images = list(_labelled_images(arguments.dataset, trial.objects))
    count_first = round(len(images) * FIRST_SHARE)
    feature_stages_s = []
    with trial.trainers(1):
        for new_images in (images[:count_first], images[count_first:]):
            trial.add(new_images)
            run = trial.request_run(arguments.recipe, arguments.folds)
            trial.wait_for(run)
            steps = _feature_steps(trial.steps(run))
            seconds = sum(step.seconds or 0 for step in steps)
            outcomes = [step.outcome for step in steps if step.outcome is not None]
            computed = sum(outcome["computed"] for outcome in outcomes)
            feature_stages_s.append(seconds)
            print(
                f"{len(new_images)} new images: feature stage {seconds:.2f} s, "
                f"{computed} vectors computed"
            )
    print(
        f"feature stage after {len(images) - count_first} new images against the first: "
        f"{feature_stages_s[1] / feature_stages_s[0]:.1%}"
    )


def compare_memory(trial: TrainingTrial, arguments: argparse.Namespace) -> None:
    count_before = 0
    for count in arguments.counts:
        new_images = [
            _phantom(seed, trial.objects) for seed in range(count_before, count)
        ]
        trial.add(new_images)
        count_before = count
        with trial.trainers(1) as (trainer,):
            run = trial.request_run(arguments.recipe, arguments.folds)
            peaks = _watch_memory(trial, run, trainer)
        peak_texts = [f"{phase} {peak / MIB:.0f} MiB" for phase, peak in peaks.items()]
        stages = _stage_seconds(trial.steps(run))
        print(f"{count} phantoms: {', '.join(peak_texts)}; {stages}")


def _watch_memory(
    trial: TrainingTrial, run: UUID, trainer: psutil.Process
) -> dict[str, int]:
    """Highest resident memory of the trainer before, during and after the feature stage."""
    peaks = {"before": 0, "features": 0, "after": 0}
    phase = "before"
    polled_at = 0.0
    while True:
        peaks[phase] = max(peaks[phase], trainer.memory_info().rss)
        if time.monotonic() - polled_at > POLL_S:
            polled_at = time.monotonic()
            if trial.is_final(run):
                return peaks
            phase = _memory_phase(_feature_steps(trial.steps(run)))
        time.sleep(SAMPLE_S)


def _memory_phase(feature_steps: Sequence[Step]) -> str:
    if all(step.state is StepState.WAITING for step in feature_steps):
        return "before"
    if all(step.state is StepState.DONE for step in feature_steps):
        return "after"
    return "features"


def _feature_steps(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.kind is StepKind.FEATURES]


def _stage_seconds(steps: Sequence[Step]) -> str:
    """Seconds of each stage, summed over its steps, as text."""
    seconds_by_kind: defaultdict[StepKind, float] = defaultdict(float)
    for step in steps:
        seconds_by_kind[step.kind] += step.seconds or 0
    return ", ".join(
        f"{kind} {seconds:.1f} s"
        for kind, seconds in seconds_by_kind.items()
        if seconds >= 0.05
    )


def _labelled_images(folder: Path, objects: ObjectStore) -> Iterator[LabelledImage]:
    """Store the images and masks of the manifest's rows that have a label."""
    for row in read_manifest(folder).rows:
        if row.malignant is None:
            continue
        mask_sha256 = None
        if row.mask is not None:
            mask_sha256 = objects.put(row.mask.read_bytes()).sha256
        yield LabelledImage(
            image_sha256=objects.put(row.image.read_bytes()).sha256,
            malignant=row.malignant,
            split=Split.TRAIN,
            mask_sha256=mask_sha256,
            patient=row.fields.get("patient"),
        )


def _phantom(seed: int, objects: ObjectStore) -> LabelledImage:
    phantom = draw(seed, malignant=seed % 2 == 0)
    png = cv2.imencode(".png", phantom.pixels)[1].tobytes()
    return LabelledImage(
        image_sha256=objects.put(png).sha256,
        malignant=phantom.malignant,
        split=Split.TRAIN,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("trainers", "growth", "memory"))
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--recipe", default="light")
    parser.add_argument("--folds", type=int)
    parser.add_argument("--counts", type=int, nargs="+", default=[200, 2000])
    return parser.parse_args()


if __name__ == "__main__":
    main()
