"""The model and the sample cases of the demo."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import cv2
from pydicom import examples

from cli.commands.train import request_run
from cli.connection import ApiClient, address, connect, create_key
from cli.output.terminal import Console
from cli.output.training_progress import follow
from cli.work.submission import CaseFile, submit_and_wait
from shared.domain.roles import Role
from shared.errors import SeraError
from shared.phantoms import Phantom, draw
from shared.settings import Settings

DATASET = "phantoms"
RECIPE = "starter"
TRAINING_SEEDS = range(100_000, 100_300)
NORTH = "demo-north"
SOUTH = "demo-south"
PHANTOM_SEEDS = {NORTH: (11, 12, 13, 14), SOUTH: (21, 22, 23, 24)}
"""Seeds of each hospital's phantoms; even ones are drawn malignant."""
DICOM_EXAMPLES = {NORTH: ("palette_color", "rgb_color"), SOUTH: ("ybr_color", "jpeg2k")}
"""pydicom's own ultrasound examples: real images, none of them of a thyroid."""
DICOM_SIZE_MM = 12.0


class DemoTrainingFailed(SeraError):
    code = "demo-training-failed"
    text = (
        "The starter model could not be trained: {problem} See trainer.log in {logs}."
    )


@dataclass(frozen=True)
class SampleCase(CaseFile):
    hospital: str = ""


def ensure_model(settings: Settings, console: Console) -> dict[str, Any]:
    """Return the live model. If there is none, train the starter recipe on phantoms first."""
    with connect(Role.OPERATOR, settings) as api:
        live = find_live_model(api)
        if live is None:
            console.print(
                f"No model is live yet: training `{RECIPE}` on {len(TRAINING_SEEDS)} phantoms "
                "(about a minute) ..."
            )
            train_demo_model(api, settings, console)
            live = find_live_model(api)
    if live is None:
        raise DemoTrainingFailed(
            problem="No model is live.", logs=settings.home / "logs"
        )
    return live


def sample_cases() -> list[SampleCase]:
    """Phantoms of both kinds and real ultrasound DICOM files, for two hospitals."""
    cases = []
    for hospital in (NORTH, SOUTH):
        cases += [_phantom_case(hospital, seed) for seed in PHANTOM_SEEDS[hospital]]
        cases += [_dicom_case(hospital, name) for name in DICOM_EXAMPLES[hospital]]
    return cases


def submit_all(
    settings: Settings, cases: list[SampleCase]
) -> Iterator[tuple[str, CaseFile, dict[str, Any]]]:
    """Submit all cases at once, each with its hospital's key.

    Yields the hospital, the case and its finished job in the given order.
    """
    url = address(settings)
    with ExitStack() as stack, ThreadPoolExecutor(len(cases)) as pool:
        apis: dict[str, ApiClient] = {}
        for hospital in sorted({case.hospital for case in cases}):
            key = create_key(settings, Role.SUBMITTER, hospital, label="demo")
            apis[hospital] = stack.enter_context(ApiClient(url, key))
        jobs = pool.map(lambda case: submit_and_wait(apis[case.hospital], case), cases)
        for case, job in zip(cases, jobs, strict=True):
            yield case.hospital, case, job


def png(phantom: Phantom) -> bytes:
    return cv2.imencode(".png", phantom.pixels)[1].tobytes()


def find_live_model(api: ApiClient) -> dict[str, Any] | None:
    return next((model for model in api.get_list("/v1/models") if model["live"]), None)


def train_demo_model(api: ApiClient, settings: Settings, console: Console) -> None:
    api.post("/v1/datasets", json={"name": DATASET, "synthetic": True})
    for seed in TRAINING_SEEDS:
        add_phantom(api, draw(seed, malignant=seed % 2 == 0))
    run = follow(api, request_run(api, DATASET, RECIPE), console)
    if run["state"] != "done":
        raise DemoTrainingFailed(problem=run["message"], logs=settings.home / "logs")
    api.post(
        f"/v1/models/{run['model_digest']}/promote",
        json={"reason": "the demo's first model"},
    )


def add_phantom(api: ApiClient, phantom: Phantom) -> None:
    data = {"malignant": str(phantom.malignant), "size_mm": str(phantom.size_mm)}
    api.post(
        f"/v1/datasets/{DATASET}/images",
        data=data,
        files={"image": ("phantom.png", png(phantom))},
    )


def _phantom_case(hospital: str, seed: int) -> SampleCase:
    phantom = draw(seed, malignant=seed % 2 == 0)
    kind = "malignant" if phantom.malignant else "benign"
    return SampleCase(
        name=f"phantom-{kind}-{seed}.png",
        data=png(phantom),
        size_mm=round(phantom.size_mm, 1),
        hospital=hospital,
    )


def _dicom_case(hospital: str, name: str) -> SampleCase:
    return SampleCase(
        name=f"{name}.dcm",
        data=examples.get_path(name).read_bytes(),
        size_mm=DICOM_SIZE_MM,
        hospital=hospital,
    )
