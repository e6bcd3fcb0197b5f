"""Training by real trainer processes: two against one, after 5 % new images, and memory as the data
set grows.

    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.training trainers \
        --dataset FOLDER --recipe light --folds 6
    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.training growth \
        --dataset FOLDER --recipe light
    PYTHONPATH=. .venv/bin/python -m trials.benchmarks.training memory \
        --recipe starter --counts 200 2000

`trainers` trains the same images once with one process, which has all cores, and once with two,
which share them; each time with nothing cached. `growth` trains on 95 % of the images, then on all
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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
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
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.schema.migrate import migrate
from shared.ledger.training.runs import Step
from shared.objects import ObjectStore, open_store
from shared.phantoms import draw

FIRST_SHARE = 0.95
SAMPLE_S = 0.05


class Yard:
    """Engines, a ledger and an object store of its own, with a data set in it."""

    def __init__(self, home: Path, engines: EmbeddedEngines) -> None:
        self._home = home
        self._engines = engines
        migrate(engines.database_url)
        self.ledger = Ledger(engines.database_url)
        self.objects = open_store((home / "objects").as_uri())

    def add(self, images: Sequence[LabelledImage]) -> None:
        with self.ledger.system_session("benchmark") as session:
            session.drafts.add(session.datasets.ensure("set"), images)

    def forget(self) -> None:
        """Throw away everything that was computed."""
        shutil.rmtree(self._home / "objects" / "named", ignore_errors=True)

    def ask(self, recipe: str, folds: int | None = None) -> UUID:
        with self.ledger.system_session("benchmark") as session:
            dataset = session.datasets.ensure("set")
            return session.runs.request(
                dataset, session.versions.freeze(dataset).id, recipe, 0, folds
            )

    def state(self, run: UUID) -> RunState:
        with self.ledger.system_session("benchmark") as session:
            found = session.runs.find(run)
        if found.state in (RunState.FAILED, RunState.CANCELLED):
            sys.exit(f"the run failed: {found.message}")
        return found.state

    def steps(self, run: UUID) -> list[Step]:
        with self.ledger.system_session("benchmark") as session:
            return session.runs.steps(run)

    @contextmanager
    def trainers(self, count: int) -> Iterator[list[psutil.Process]]:
        """That many trainers, ready, each with its share of the cores."""
        threads = str(max(os.cpu_count() // count, 1))
        ready = [self._home / f"ready-{count}-{number}" for number in range(count)]
        urls = {
            "DATABASE": self._engines.database_url,
            "BROKER": self._engines.broker_url,
        }
        told = {f"SERA_{name}_URL": url for name, url in urls.items()} | {
            "SERA_OBJECTS_URL": (self._home / "objects").as_uri(),
            "SERA_HOME": str(self._home),
            "OMP_NUM_THREADS": threads,
            "GOMP_SPINCOUNT": "3000",
        }
        command = [sys.executable, "-m", "services.trainer"]
        beat = [sys.executable, "-m", "services.beat"]
        with ExitStack() as opened, (self._home / "log").open("ab") as log:
            for file in ready:
                env = {**os.environ, **told, "SERA_READY_FILE": str(file)}
                opened.enter_context(
                    _ended(subprocess.Popen(command, env=env, stdout=log, stderr=log))
                )
            started = [psutil.Process(child.pid) for child in _children()]
            while not all(file.exists() for file in ready):
                time.sleep(SAMPLE_S)
            env = {**os.environ, **told, "SERA_RING_EVERY_S": "0.5"}
            opened.enter_context(
                _ended(subprocess.Popen(beat, env=env, stdout=log, stderr=log))
            )
            yield started


@contextmanager
def _ended(process: subprocess.Popen) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "services.trainer" in child.cmdline()
    ]


def main() -> None:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory() as home,
        EmbeddedEngines(Path(home, "engines"), durable=False) as engines,
    ):
        yard = Yard(Path(home), engines)
        {
            "trainers": compare_trainers,
            "growth": compare_growth,
            "memory": compare_memory,
        }[arguments.what](yard, arguments)
        yard.ledger.close()


def compare_trainers(yard: Yard, arguments: argparse.Namespace) -> None:
    yard.add(list(_labelled(arguments.dataset, yard.objects)))
    took = {}
    for count in (1, 2):
        yard.forget()
        with yard.trainers(count):
            began = time.perf_counter()
            run = yard.ask(arguments.recipe, arguments.folds)
            _until_ended(yard, run)
            took[count] = time.perf_counter() - began
        print(f"{count} trainer(s): {took[count]:.1f} s; {_by_kind(yard.steps(run))}")
    print(f"two against one: ratio {took[1] / took[2]:.2f}")


def compare_growth(yard: Yard, arguments: argparse.Namespace) -> None:
    images = list(_labelled(arguments.dataset, yard.objects))
    known = round(len(images) * FIRST_SHARE)
    took = []
    with yard.trainers(1):
        for part in (images[:known], images[known:]):
            yard.add(part)
            run = yard.ask(arguments.recipe, arguments.folds)
            _until_ended(yard, run)
            steps = [step for step in yard.steps(run) if step.kind is StepKind.FEATURES]
            took.append(sum(step.seconds for step in steps))
            computed = sum(step.outcome["computed"] for step in steps)
            print(
                f"{len(part)} new images: feature stage {took[-1]:.2f} s, {computed} vectors "
                "computed"
            )
    print(
        f"feature stage after {len(images) - known} new images against the first: "
        f"{took[1] / took[0]:.1%}"
    )


def compare_memory(yard: Yard, arguments: argparse.Namespace) -> None:
    drawn = 0
    for count in arguments.counts:
        yard.add([_phantom(seed, yard.objects) for seed in range(drawn, count)])
        drawn = count
        with yard.trainers(1) as (trainer,):
            run = yard.ask(arguments.recipe, arguments.folds)
            highest = _watch_memory(yard, run, trainer)
        told = ", ".join(
            f"{part} {peak / 2**20:.0f} MiB" for part, peak in highest.items()
        )
        print(f"{count} phantoms: {told}; {_by_kind(yard.steps(run))}")


def _watch_memory(yard: Yard, run: UUID, trainer: psutil.Process) -> dict[str, int]:
    """Highest resident memory of the trainer before, during and after the feature stage."""
    highest = {"before": 0, "features": 0, "after": 0}
    part = "before"
    looked = 0.0
    while True:
        highest[part] = max(highest[part], trainer.memory_info().rss)
        if time.monotonic() - looked > 0.5:
            looked = time.monotonic()
            if yard.state(run) in FINAL_RUN_STATES:
                return highest
            features = [
                step for step in yard.steps(run) if step.kind is StepKind.FEATURES
            ]
            if features and any(
                step.state is not StepState.WAITING for step in features
            ):
                over = all(step.state is StepState.DONE for step in features)
                part = "after" if over else "features"
        time.sleep(SAMPLE_S)


def _until_ended(yard: Yard, run: UUID) -> None:
    while yard.state(run) not in FINAL_RUN_STATES:
        time.sleep(SAMPLE_S)


def _by_kind(steps: Sequence[Step]) -> str:
    """Seconds of each stage, summed over its steps."""
    kinds = dict.fromkeys(step.kind for step in steps)
    spent = {
        kind: sum(step.seconds for step in steps if step.kind is kind) for kind in kinds
    }
    return ", ".join(
        f"{kind} {seconds:.1f} s" for kind, seconds in spent.items() if seconds >= 0.05
    )


def _labelled(folder: Path, objects: ObjectStore) -> Iterator[LabelledImage]:
    for row in read_manifest(folder):
        if row.malignant in ("0", "1"):
            mask = objects.put(row.mask.read_bytes()).sha256 if row.mask else None
            image = objects.put(row.image.read_bytes()).sha256
            patient = row.fields.get("patient")
            yield LabelledImage(
                image,
                row.malignant == "1",
                Split.TRAIN,
                mask_sha256=mask,
                patient=patient,
            )


def _phantom(seed: int, objects: ObjectStore) -> LabelledImage:
    phantom = draw(seed, malignant=seed % 2 == 0)
    png = cv2.imencode(".png", phantom.pixels)[1].tobytes()
    return LabelledImage(objects.put(png).sha256, phantom.malignant, Split.TRAIN)


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
