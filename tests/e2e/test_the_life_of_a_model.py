"""Operators bring data, train, judge, try in the shadow, promote and go back; a hospital submits
all the while.
"""

import csv
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shared.domain.training.states import FINAL_RUN_STATES
from shared.phantoms import draw
from tests.e2e.stage import Changeover, Hospital, Stage, until
from tests.support.builders import png

pytestmark = pytest.mark.timeout(600)

LABELLED = range(700, 770)
CASES = range(800, 806)
REASON = "a trial of the model's life"
PACE_S = 0.2
STEPS_IN_HAND = "SELECT 1 FROM run_steps WHERE state = 'running' LIMIT 1"


@pytest.fixture(scope="module")
def west(stage: Stage, changeover: Changeover) -> Hospital:
    return stage.hospital("west")


@pytest.fixture(scope="module")
def traffic(stage: Stage, changeover: Changeover) -> Iterator[list[dict[str, Any]]]:
    """A hospital that submits case after case as long as this module runs;
    every job as it ended.
    """
    stop = threading.Event()
    jobs = []
    hospital = stage.hospital("far-west")

    def submit() -> None:
        while not stop.wait(PACE_S):
            jobs.append(hospital.read(png(len(jobs))))

    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(submit)
        yield jobs
        stop.set()
        submitting.result()
    assert {job["state"] for job in jobs} == {"done"}


@pytest.fixture(scope="module")
def known_cases(stage: Stage, west: Hospital) -> list[str]:
    """Cases of before, whose outcome the hospital tells; it consents to all but the first."""
    cases = [
        west.read(png(seed, malignant=bool(seed % 2)))["case_id"] for seed in CASES
    ]
    for seed, case in zip(CASES, cases, strict=True):
        outcome = {
            "malignant": bool(seed % 2),
            "source": "histology",
            "consent": case != cases[0],
            "patient": f"p{seed}",
        }
        assert (
            west.http.post(f"/v1/cases/{case}/outcome", json=outcome).status_code == 201
        )
    return cases


@pytest.fixture(scope="module")
def run(
    stage: Stage,
    recipe_name: str,
    traffic: list,
    known_cases: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """A run on a split and frozen version, whose trainer is killed in its midst."""
    folder = labelled(tmp_path_factory.mktemp("life"))
    assert (
        stage.sera("dataset", "import", str(folder), "--name", "life").returncode == 0
    )
    import_report = stage.sera_json("dataset", "take-outcomes", "life", "--json")
    assert (import_report["added"], import_report["refused"]) == (len(CASES) - 1, [])
    stage.sera_json("dataset split life --by patient --test-share 0.35 --seed 1 --json")
    started = stage.sera_json(
        f"train --dataset life --recipe {recipe_name} --detach --json"
    )
    path = f"/v1/training-runs/{started['run_id']}"
    operator = stage.operator()
    until(lambda: operator.http.get(path).json()["fraction"] > 0.3)
    until(lambda: stage.suspend_holding("trainer", STEPS_IN_HAND))
    finished = done(operator.http.get(path).json())
    stage.kill("trainer")
    ended = until(
        lambda: [
            run
            for run in [operator.http.get(path).json()]
            if run["state"] in FINAL_RUN_STATES
        ]
    )[0]
    assert ended["state"] == "done", ended["message"]
    assert finished.items() <= done(ended).items()
    return ended


@pytest.mark.slow
def test_a_killed_trainer_costs_a_step_and_the_run_tells_what_each_came_to(
    run: dict[str, Any],
) -> None:
    kinds = [step["kind"] for step in run["steps"]]
    assert kinds[-3:] == ["bundle", "evaluation", "gate"]
    assert max(step["attempts"] for step in run["steps"]) == 2, (
        "a step was in hand, and done again"
    )
    assert run["metrics"]["images"] == sum(1 for _ in LABELLED) + len(
        CASES
    ) - 1 - locked_images(run)


@pytest.mark.slow
def test_a_model_is_tried_in_the_shadow_promoted_and_taken_back_while_cases_come(
    stage: Stage, run: dict[str, Any], traffic: list, west: Hospital
) -> None:
    digest_before = stage.live()
    digest = run["model_digest"]
    gate = stage.sera_json("models", "show", digest[:12], "--json")["gate"]
    assert (gate["judged_against"], gate["stale"]) == (digest_before, False)
    stage.sera_json("models", "shadow", digest[:12], "--json")
    report = until(lambda: shadowed(stage, digest, 5))
    assert report["comparison"]["agreement"]["cases"] >= 5
    assert {job["result"]["model"]["digest"] for job in traffic} == {digest_before}
    stage.sera_json(f"models promote {digest[:12]} --json --reason", REASON)
    assert west.read(png(1))["result"]["model"]["digest"] == digest
    assert stage.sera_json("models", "shadow", digest[:12], "--status", "--json")[
        "ended_at"
    ]
    stage.sera_json("models", "rollback", "--reason", REASON, "--json")
    assert west.read(png(2))["result"]["model"]["digest"] == digest_before
    history = stage.sera_json("models history --json")
    promotions = [(row["kind"], row["model"], row["reason"]) for row in history[:2]]
    assert promotions == [
        ("rollback", digest_before, REASON),
        ("promote", digest, REASON),
    ]


@pytest.mark.slow
def test_a_model_has_a_card_and_monitoring_knows_its_outcomes(
    stage: Stage, run: dict[str, Any], known_cases: list
) -> None:
    operator = stage.operator()
    card = operator.http.get(f"/v1/models/{run['model_digest']}/card.html")
    assert card.headers["content-type"].startswith("text/html")
    assert run["model_digest"][:12] in card.text
    report = stage.sera_json("monitor performance --hospital west --json")
    (west,) = report["hospitals"]
    assert west["figures"]["with_outcome"]["count"] == len(known_cases)


def shadowed(stage: Stage, digest: str, cases: int) -> dict[str, Any] | None:
    report = stage.operator().http.get(f"/v1/models/{digest}/shadow").json()
    return report if report["read"] >= cases else None


def done(run: dict[str, Any]) -> dict[str, int]:
    """Finished steps and how often each was taken up."""
    return {
        step["name"]: step["attempts"]
        for step in run["steps"]
        if step["state"] == "done"
    }


def locked_images(run: dict[str, Any]) -> int:
    return next(
        step["outcome"]["images"]
        for step in run["steps"]
        if step["kind"] == "evaluation"
    )


def labelled(folder: Path) -> Path:
    """Phantoms of patients with two images each."""
    with (folder / "manifest.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "malignant", "patient", "site"])
        for seed in LABELLED:
            phantom = draw(seed, malignant=seed % 4 < 2, size_px=128)
            Image.fromarray(phantom.pixels).save(folder / f"{seed}.png")
            lines.writerow(
                [
                    f"{seed}.png",
                    int(phantom.malignant),
                    f"patient-{seed // 2}",
                    "clinic",
                ]
            )
    return folder
