"""Trainers on a real database and a directory of objects, with a few phantoms to learn from."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.trainer.gate import gate_policy
from services.trainer.service import TrainingService
from services.trainer.step_owner import StepOwner
from services.trainer.steps import TrainingTools
from shared.domain.training.states import Split
from shared.ledger import Ledger
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.datasets.versions import Version
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.training.runs import TrainingRun
from shared.networks import WeightsFinder
from shared.objects import ObjectStore, open_store
from shared.queueing.app import Tasks
from shared.settings import Settings
from tests.support.builders import outlined_phantom

LEASE = timedelta(minutes=1)
TRAINING_IMAGES = 28


class NotificationRecorder:
    """A doorbell that remembers."""

    def __init__(self) -> None:
        self.subjects: list[UUID] = []

    def ring(self, task: Tasks, subject: UUID) -> None:
        self.subjects.append(subject)


@pytest.fixture
def rings() -> NotificationRecorder:
    return NotificationRecorder()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, lease_s=60, max_attempts=3)


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "objects").as_uri())


@pytest.fixture
def make_desk(
    settings: Settings, ledger: Ledger, objects: ObjectStore, rings: NotificationRecorder
) -> Iterator[Callable[..., TrainingService]]:
    made: list[TrainingService] = []

    def make(
        owner: StepOwner | None = None, weights: WeightsFinder | None = None
    ) -> TrainingService:
        weights = weights or WeightsFinder(None, Path("nowhere"), download=False)
        heartbeat = Heartbeat(lambda tokens: None, LEASE)
        tools = TrainingTools(objects, weights, settings.home / "bundles", gate_policy(settings))
        made.append(
            TrainingService(
                settings, ledger, tools, heartbeat, rings, owner or StepOwner.current()
            )
        )
        return made[-1]

    yield make
    for desk in made:
        desk.release_run()


@pytest.fixture
def desk(make_desk: Callable[..., TrainingService]) -> TrainingService:
    return make_desk()


def drawn_rows(
    objects: ObjectStore, seeds: range, split: Split = Split.TRAIN
) -> list[LabelledImage]:
    """Phantoms with masks, two of each patient."""
    rows = []
    for seed in seeds:
        image, mask = (objects.put(file).sha256 for file in outlined_phantom(seed))
        rows.append(
            LabelledImage(
                image, seed % 2 == 0, split, mask_sha256=mask, patient=f"p{seed // 2}"
            )
        )
    return rows


@pytest.fixture
def dataset(ledger: Ledger, objects: ObjectStore) -> UUID:
    """Phantoms to learn from and four more that are held back."""
    held_back = range(TRAINING_IMAGES, TRAINING_IMAGES + 4)
    rows = [
        *drawn_rows(objects, range(TRAINING_IMAGES)),
        *drawn_rows(objects, held_back, Split.TEST),
    ]
    with ledger.system_session("test") as house:
        dataset = house.datasets.ensure("phantoms", synthetic=True)
        house.datasets.add(dataset, rows)
    return dataset


@pytest.fixture
def version(ledger: Ledger, dataset: UUID) -> Version:
    with ledger.system_session("test") as house:
        return house.versions.freeze(dataset)


@pytest.fixture
def ask(ledger: Ledger, dataset: UUID, version: Version) -> Callable[..., UUID]:
    """Asks for a run of a recipe."""

    def asked(recipe: object, folds: int | None = None) -> UUID:
        with ledger.system_session("test") as house:
            return house.runs.request(dataset, version.id, str(recipe), 0, folds)

    return asked


@pytest.fixture
def run(ledger: Ledger, ask: Callable[..., UUID]) -> Callable[..., TrainingRun]:
    """Asks for a run, lets a trainer work and returns the run."""

    def ran(desk: TrainingService, recipe: object) -> TrainingRun:
        run_id = ask(recipe)
        desk.work()
        with ledger.system_session("test") as house:
            return house.runs.find(run_id)

    return ran
