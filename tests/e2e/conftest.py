"""Starts the whole of SERA once for the session, with a first model and a second, trained one."""

import csv
import json
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deploy.local import Backoff, Event, Stack
from shared.phantoms import draw
from tests.e2e.stage import QUICK_RECIPE, Changeover, Hospital, Stage, free_port
from tests.support.builders import png

LABELLED = range(500, 560)
"""Seeds of the phantoms that the second model learns from."""
PACE_S = 0.25


@pytest.fixture(scope="session")
def recipe_name(long: bool) -> str:
    """The name of the recipe that models are trained by: `starter` in the long form."""
    return "starter" if long else "quick"


@pytest.fixture(scope="session")
def stage(
    tmp_path_factory: pytest.TempPathFactory, first_bundle: Path
) -> Iterator[Stage]:
    """The stack that `./sera up` runs, in a home of its own, with a first model live."""
    output: queue.Queue[Event] = queue.Queue()
    home = tmp_path_factory.mktemp("sera") / "home"
    own_recipes = tmp_path_factory.mktemp("recipes")
    (own_recipes / "quick.toml").write_text(QUICK_RECIPE)
    settings = {
        "durable": False,
        "backoff": Backoff(0.1, 1.0),
        "extra_env": {"SERA_RING_EVERY_S": "1", "SERA_RECIPES_DIR": str(own_recipes)},
        "observe": output.put,
    }
    with Stack(home, free_port(), **settings) as stack:
        running = Stage(stack, output)
        running.publish(first_bundle)
        yield running
        running.close()


@pytest.fixture(scope="session")
def changeover(
    stage: Stage, recipe_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Changeover:
    """A person imports phantoms, trains a model and makes it live while a hospital submits."""
    folder = _labelled(tmp_path_factory.mktemp("labelled"))
    digest_before = stage.live()
    stop = threading.Event()
    jobs = []
    with ThreadPoolExecutor(1) as hospital:
        submitting = hospital.submit(_submit_until, stop, stage, digest_before, jobs)
        try:
            imported = stage.sera(
                "dataset import --name phantoms --synthetic", str(folder)
            )
            run = stage.sera(
                f"train --dataset phantoms --recipe {recipe_name} --json --promote --reason",
                "no locked test set among phantoms",
            )
        finally:
            stop.set()
        submitting.result()
    assert (imported.returncode, run.returncode) == (0, 0), imported.stderr + run.stderr
    return Changeover(
        digest_before=digest_before,
        imported=imported.stdout,
        run=json.loads(run.stdout),
        jobs=jobs,
    )


@pytest.fixture(scope="session")
def north(stage: Stage, changeover: Changeover) -> Hospital:
    return stage.hospital("north")


@pytest.fixture(scope="session")
def south(stage: Stage, changeover: Changeover) -> Hospital:
    return stage.hospital("south")


def _submit_until(
    stop: threading.Event, stage: Stage, digest_before: str, jobs: list[dict[str, Any]]
) -> None:
    """Submit one case after another until `stop` is set, then until the live model has changed.

    A case that fails ends the submissions too.
    """
    east = stage.hospital("east")
    while not stop.wait(PACE_S):
        jobs.append(east.read(png(len(jobs))))
    for seed in range(100):
        job = east.read(png(seed))
        jobs.append(job)
        if job["state"] != "done":
            return
        if job["result"]["model"]["digest"] != digest_before:
            return


def _labelled(folder: Path) -> Path:
    """A folder with outlined phantoms and their manifest."""
    with (folder / "manifest.csv").open("w", newline="") as file:
        manifest = csv.writer(file)
        manifest.writerow(["image", "malignant", "mask", "patient", "size_mm"])
        for seed in LABELLED:
            phantom = draw(seed, malignant=seed % 2 == 0)
            Image.fromarray(phantom.pixels).save(folder / f"{seed}.png")
            mask = Image.fromarray(phantom.mask.astype("uint8") * 255)
            mask.save(folder / f"{seed}_mask.gif")
            row = {
                "image": f"{seed}.png",
                "malignant": int(phantom.malignant),
                "mask": f"{seed}_mask.gif",
                "patient": f"patient-{seed // 2}",
                "size_mm": phantom.size_mm,
            }
            manifest.writerow(row.values())
    return folder
